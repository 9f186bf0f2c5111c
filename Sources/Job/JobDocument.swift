internal import Yams

/// A job file's text as YAML: the root node, and the lines, which tell places that the nodes do not have.
struct JobDocument {
    /// The deepest nesting. Yams reads by recursion; deeper input would overflow the stack. A job needs three levels.
    static let maximumDepth = 256

    let root: Node
    let kind: FileKind
    private let lines: [Substring]

    init(text original: String, _ kind: FileKind = .job) throws(JobError.Item) {
        self.kind = kind
        let text = original.first == "\u{FEFF}" ? String(original.dropFirst()) : original
        lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        guard text.utf8.count <= Job.maximumFileBytes else {
            throw JobError.Item(message: kind.tooLarge.message, mend: kind.tooLarge.mend)
        }
        if let line = lines.tooDeepLine(limit: Self.maximumDepth) {
            throw JobError.Item(line: line, message: "the YAML is nested deeper than \(Self.maximumDepth) levels")
        }
        do {
            // The basic resolver leaves all scalars as text: a job's values have their own rules, and it needs no
            // regular expressions.
            guard let node = try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot() else {
                throw JobError.Item(message: "the file is empty", mend: kind.emptyMend)
            }
            root = node
        } catch let item as JobError.Item {
            throw item
        } catch let error as YamlError {
            throw YAMLProblem(error, lines: lines, text: text).item
        } catch {
            throw JobError.Item(message: "the file cannot be read as YAML")
        }
    }

    /// The place where a scalar's text starts: after its anchor, tag and opening quote, or on the line below `|` and
    /// `>`.
    func start(of scalar: Node.Scalar) -> (line: Int, column: Int) {
        guard let mark = scalar.mark, lines.indices.contains(mark.line - 1) else { return (1, 1) }
        var rest = lines[mark.line - 1].unicodeScalars.dropFirst(mark.column - 1)
        var column = mark.column
        while let first = rest.first, first == "&" || first == "!" {
            let property = rest.prefix { $0 != " " && $0 != "\t" }
            let skipped = rest.dropFirst(property.count).prefix { $0 == " " || $0 == "\t" }
            guard property.count + skipped.count < rest.count else { return (mark.line, mark.column) }
            column += property.count + skipped.count
            rest = rest.dropFirst(property.count + skipped.count)
        }
        switch scalar.style {
        case .singleQuoted, .doubleQuoted: return (mark.line, column + 1)
        case .literal, .folded:
            let below = lines[mark.line...].firstIndex { !$0.allSatisfy(\.isWhitespace) } ?? mark.line - 1
            let indent = lines[below].unicodeScalars.prefix { $0 == " " }.count
            return (below + 1, indent + 1)
        default: return (mark.line, column)
        }
    }

    /// Whether YAML took an SQL operator (`#>`, `#>>`, `#-`) for the start of a comment and dropped the rest of the line.
    func losesOperator(_ scalar: Node.Scalar) -> Bool {
        guard scalar.style == .plain, let mark = scalar.mark, lines.indices.contains(mark.line - 1) else {
            return false
        }
        let rest = lines[mark.line - 1].unicodeScalars.dropFirst(mark.column - 1)
        guard let word = String(rest).split(separator: " ").first(where: { $0.hasPrefix("#") }) else { return false }
        return word.hasPrefix("#>") || word.hasPrefix("#-")
    }
}

extension [Substring] {
    /// The first line (from 1) where blocks or brackets may be nested deeper than `limit`, by a count that is never too low
    /// for text without brackets in quotes.
    fileprivate func tooDeepLine(limit: Int) -> Int? {
        var depth = 0
        for (index, line) in enumerated() {
            // Each level of a block stands at least one column to the right of its parent's.
            if line.utf8.prefix(while: { " \t-?:".utf8.contains($0) }).count > limit { return index + 1 }
            for byte in line.utf8 {
                if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") { depth += 1 }
                if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") { depth = Swift.max(0, depth - 1) }
                if depth > limit { return index + 1 }
            }
        }
        return nil
    }
}
