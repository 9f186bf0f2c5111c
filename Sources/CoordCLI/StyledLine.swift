/// One line for a terminal: spans of text with a style, measured in display cells before any ANSI code is added.
struct StyledLine {
    enum Style: String {
        case plain = ""
        case good = "32"
        case bad = "31"
        case dim = "2"
    }

    private(set) var spans: [(text: String, style: Style)] = []

    init(_ text: String = "", _ style: Style = .plain) { append(text, style) }

    mutating func append(_ text: String, _ style: Style = .plain) {
        if !text.isEmpty { spans.append((text, style)) }
    }

    mutating func append(_ line: StyledLine) { spans += line.spans }

    var cells: Int { spans.reduce(0) { $0 + $1.text.cells } }

    /// The line with ANSI codes if `color`, cut to `width` cells with an ellipsis where it is longer.
    func rendered(width: Int, color: Bool) -> String {
        var left = width
        var text = ""
        for (index, span) in spans.enumerated() {
            let rest = spans[(index + 1)...].contains { $0.text.cells > 0 }
            let cut = span.text.cells + (rest ? 1 : 0) > left && cells > width
            let part = cut ? span.text.shortened(to: left, always: true) : span.text
            text += color && span.style != .plain ? "\u{1B}[\(span.style.rawValue)m\(part)\u{1B}[0m" : part
            if cut { break }
            left -= part.cells
        }
        return text
    }
}

extension String {
    /// Cells of a terminal that the text takes, at most: by Unicode's East Asian width, each scalar for itself, since
    /// terminals differ in which sequences of emoji they join.
    var cells: Int { unicodeScalars.reduce(0) { $0 + $1.cells } }

    /// The text if it has up to `width` cells, or its beginning and an ellipsis. With `always`, the ellipsis is added
    /// even to a text that fits.
    func shortened(to width: Int, always: Bool = false) -> String {
        if !always, cells <= width { return self }
        guard width > 0 else { return "" }
        var (text, used) = ("", 0)
        for character in self {
            let cells = String(character).cells
            if used + cells > width - 1 { break }
            text.append(character)
            used += cells
        }
        return text + "…"
    }

    /// The text with spaces after it, or before it, up to `width` cells.
    func padded(to width: Int, left: Bool = false) -> String {
        let spaces = String(repeating: " ", count: max(0, width - cells))
        return left ? spaces + self : self + spaces
    }

    /// The text without what could move a cursor, break a line or turn its direction. Names come from other hosts.
    var printable: String {
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: text.append("?")
            case .format where scalar != "\u{200D}": text.append("?")
            default: text.append(scalar)
            }
        }
        return String(text)
    }
}

extension Unicode.Scalar {
    /// 0, 1 or 2. Source: Unicode 15, EastAsianWidth.txt, ranges of W and F joined across unassigned gaps.
    fileprivate var cells: Int {
        if value < 0x300 { return 1 }
        switch properties.generalCategory {
        // U+FE0F makes the narrow symbol before it a wide emoji.
        case .nonspacingMark, .enclosingMark, .format: return value == 0xFE0F ? 1 : 0
        default: break
        }
        switch value {
        case 0x1100...0x115F, 0x2329...0x232A, 0x2E80...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF,
            0x1F200...0x1F2FF, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return properties.isEmojiPresentation ? 2 : 1
        }
    }
}
