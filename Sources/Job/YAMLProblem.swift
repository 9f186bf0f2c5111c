internal import Yams

/// A YAML parser's complaint about a malformed file, in plain words.
struct YAMLProblem {
    let item: JobError.Item

    init(_ error: YamlError, lines: [Substring], text: String) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            item = Self.explain(problem, at: mark, context: context, lines: lines)
        case .reader(_, let offset, _, _):
            let before = text.prefix(offset ?? 0)
            let column = before.suffix { !$0.isNewline }.unicodeScalars.count + 1
            item = JobError.Item(
                line: before.count(where: \.isNewline) + 1, column: column,
                message: "the file holds a character that YAML does not allow",
                mend: "Remove the control character there.")
        case .duplicatedKeysInMapping(let keys, let context):
            item = Self.duplicate(keys.first ?? "", first: context.mark, lines: lines)
        default:
            item = JobError.Item(message: "the file cannot be read as YAML")
        }
    }

    private static func explain(
        _ problem: String, at mark: Mark, context: YamlError.Context?, lines: [Substring]
    ) -> JobError.Item {
        let line = lines.indices.contains(mark.line - 1) ? lines[mark.line - 1] : ""
        if line.prefix(while: \.isWhitespace).contains("\t") {
            return JobError.Item(
                line: mark.line, column: mark.column,
                message: "a tab is used for indentation, which YAML does not allow",
                mend: "Indent with spaces.")
        }
        let known = words.first { problem.contains($0.problem) }
        // The parser misses a closing quote or bracket at the end of the file, and a key's ':' on the next line. The
        // user must see the place where the quote, the bracket or the key began.
        let isAtEnd = lines.dropFirst(mark.line - 1).allSatisfy { $0.allSatisfy(\.isWhitespace) }
        let isOpen = isAtEnd || ["unexpected end of stream", "expected ':'"].contains { problem.contains($0) }
        let place = isOpen ? context?.mark ?? mark : mark
        var message = known?.message ?? "the file is not valid YAML: \(problem)"
        if let opened = context?.mark, !isOpen, opened.line < mark.line, message.contains("not closed") {
            message += " (it was opened on line \(opened.line))"
        }
        return JobError.Item(line: place.line, column: place.column, message: message, mend: known?.mend)
    }

    private static let quoteEnds =
        "A value that starts with a quote ends at the closing one: write such SQL on its own line below 'column: |'."

    /// libyaml 0.2.5's words (scanner.c, parser.c), what they mean to somebody who writes a job, and what to do.
    private static let words: [(problem: String, message: String, mend: String?)] = [
        (
            "mapping values are not allowed", "a ':' stands where no key can be",
            "If it is part of a value, put the value in quotes; else check the indentation."
        ),
        ("could not find expected ':'", "a key has no ':' after it", "Write 'key: value', with a space after the ':'."),
        (
            "unexpected end of stream", "a quote is not closed",
            "Close it with the same quote; in '...', write '' for a quote."
        ),
        (
            "did not find expected key", "a key is expected here",
            "Check the indentation. " + quoteEnds
        ),
        ("expected comment or line break", "after '|' or '>' the line must end", quoteEnds),
        ("did not find expected ',' or ']'", "a list in [ ] is not closed, or a ',' is missing", nil),
        ("did not find expected ',' or '}'", "a mapping in { } is not closed, or a ',' is missing", nil),
        ("did not find expected '-'", "a list item is expected here", "Start each item with '- '."),
        (
            "cannot start any token", "a value cannot start with this character",
            "Put the value in quotes, or write it on its own line below 'key: |'."
        ),
        (
            "undefined alias", "an alias (*name) has no anchor (&name) before it",
            "A value that starts with '*' needs quotes."
        ),
        (
            "alphabetic or numeric", "'&' and '*' at the start of a value need a name",
            "Put a value that starts so in quotes."
        ),
        (
            "unknown escape character", "an escape in a \"...\" text is not known",
            "Use '...', where a backslash is itself."
        ),
        ("another document", "the file holds more than one YAML document", "Remove the '---' and what follows it."),
    ]

    /// Names the second place of a duplicate key, if the text shows one: the parser tells only of the first.
    private static func duplicate(_ key: String, first: Mark, lines: [Substring]) -> JobError.Item {
        let indent = first.column - 1
        let second = lines.indices.dropFirst(first.line).first { index in
            let line = lines[index].unicodeScalars
            return line.prefix { $0 == " " }.count == indent && String(line.dropFirst(indent)).hasPrefix(key + ":")
        }
        return JobError.Item(
            line: second.map { $0 + 1 } ?? first.line, column: first.column, key: key,
            message: "the key \(key.shown) is given twice"
                + (second == nil ? "" : "; the first is on line \(first.line)"),
            mend: "Keep one of them.")
    }
}

extension Substring {
    fileprivate func suffix(while isIncluded: (Character) -> Bool) -> Substring {
        let end = lastIndex { !isIncluded($0) }
        return end.map { self[index(after: $0)...] } ?? self
    }
}
