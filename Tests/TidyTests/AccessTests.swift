import Testing

/// What a module shows is used outside of it; all else is internal.
@Suite struct AccessTests {
    /// Modules for programs of users' own.
    static let published: Set<String> = ["Sources/CoordKit"]

    /// What no source names: calls and conformances that Swift or a library writes, and defaults of parameters that others
    /// leave out.
    static let implied: Set<String> = [
        "DatabaseTrait", "isRecursive", "provideScope", "defaultSilenceLimit", "defaultTimeout",
    ]

    /// Adds the words of a line that can be names.
    private static func collect(_ line: Substring, _ names: inout Set<Substring>) {
        let bytes = line.utf8
        var start: Substring.Index?
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            let isWord = byte == 95 || 48...57 ~= byte || 65...90 ~= byte || 97...122 ~= byte
            if isWord, start == nil { start = index }
            if !isWord, let first = start {
                names.insert(line[first..<index])
                start = nil
            }
            index = bytes.index(after: index)
        }
        if let start { names.insert(line[start...]) }
    }

    /// Words of each target; and of its declarations that others see, since a type is used where one of them has it.
    private static let names: (all: [String: Set<Substring>], shown: [String: [Substring: Int]]) = {
        var all: [String: Set<Substring>] = [:]
        var shown: [String: [Substring: Int]] = [:]
        // These tests name what they are about.
        for source in Checkout.sources where source.folder != "Tests/TidyTests" {
            for line in source.lines {
                collect(line, &all[source.folder, default: []])
                guard line.contains("public ") || line.contains("package ") else { continue }
                var words: Set<Substring> = []
                collect(line, &words)
                for word in words { shown[source.folder, default: [:]][word, default: 0] += 1 }
            }
        }
        return (all, shown)
    }()

    @Test func whatAModuleShowsIsUsedOutsideOfIt() {
        let declared =
            /\s*(?:@\w+(?:\([^)]*\))? )*(?:public|package) (?:[\w()]+ )*?(?<kind>func|var|let|struct|enum|class|actor|protocol|typealias) `?(?<name>\w+)/
        var implied: Set<String> = []
        for source in Checkout.sources where !source.isGenerated && !Self.published.contains(source.folder) {
            for line in source.lines where line.contains("public ") || line.contains("package ") {
                guard let match = line.prefixMatch(of: declared) else { continue }
                let isMember = ["func", "var", "let"].contains(match.kind)
                let isUsed =
                    Self.names.all.contains { $0.key != source.folder && $0.value.contains(match.name) }
                    // The line that declares it is one.
                    || !isMember && (Self.names.shown[source.folder]?[match.name] ?? 0) > 1
                if isUsed { continue }
                if Self.implied.contains(String(match.name)) {
                    implied.insert(String(match.name))
                    continue
                }
                Issue.record(
                    "\(source.path): nothing outside of \(source.folder) names \(match.name): make it internal")
            }
        }
        #expect(implied == Self.implied, "an exception is not needed any more")
    }
}
