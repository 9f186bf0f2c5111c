import Testing

/// Every declaration that a module shows is used outside of the module. All others must be internal.
@Suite struct AccessTests {
    /// Modules that custom programs may use.
    static let published: Set<String> = ["Sources/CoordKit"]

    /// Names that no source mentions, because Swift or a library makes the calls and conformances, or because callers
    /// omit the parameter.
    static let implied: Set<String> = [
        "DatabaseTrait", "customMirror", "isRecursive", "provideScope", "defaultSilenceLimit", "defaultTimeout",
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

    /// The words of each target, and the words of its visible declarations: a type also counts as used where such a
    /// declaration mentions it.
    private static let names: (all: [String: Set<Substring>], shown: [String: [Substring: Int]]) = {
        var all: [String: Set<Substring>] = [:]
        var shown: [String: [Substring: Int]] = [:]
        // These tests mention the names that they are about.
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
                    // One of the mentions is the declaration itself.
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
