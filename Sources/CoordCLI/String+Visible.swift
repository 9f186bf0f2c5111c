// Text of others (rows, programs, peers, servers) may hold what steers a terminal: it is shown, and not obeyed.
extension String {
    /// One line: also line ends and tabs are made visible.
    var visible: String { escaped { _ in false } }

    /// Lines stay lines, and tabs tabs; all other control characters are made visible.
    var visibleLines: String {
        let lines = unicodeScalars.contains("\r") ? replacing("\r\n", with: "\n") : self
        return lines.escaped { $0 == "\n" || $0 == "\t" }
    }

    /// For a text of others inside a message: its further lines are indented, so that they do not look like coord's own.
    var indented: String {
        split(separator: "\n", omittingEmptySubsequences: true).joined(separator: "\n    ")
    }

    private func escaped(except isKept: (Unicode.Scalar) -> Bool) -> String {
        guard unicodeScalars.contains(where: { $0.steers && !isKept($0) }) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            if !scalar.steers || isKept(scalar) {
                text.unicodeScalars.append(scalar)
                continue
            }
            switch scalar {
            case "\u{1B}": text += "\\e"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                text += scalar.value < 0x100 ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
            }
        }
        return text
    }
}

extension Unicode.Scalar {
    /// Whether it may move a cursor, break a line or turn its direction.
    fileprivate var steers: Bool {
        if value < 0x7F { return value < 0x20 }
        if value < 0xA0 { return true }
        if value < 0x300, value != 0xAD { return false }
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: return true
        // U+200D joins emoji.
        case .format: return self != "\u{200D}"
        default: return false
        }
    }
}
