/// PostgreSQL's text form of one-dimensional arrays, `{a,"b c",NULL}`.
public enum PostgresArray {
    /// Reads an array literal as the server writes it.
    /// - Returns: nil when the text is not one.
    public static func parse(_ literal: String) -> [String?]? {
        var characters = literal.unicodeScalars.makeIterator()
        guard characters.next() == "{" else { return nil }
        var elements: [String?] = []
        var current = String.UnicodeScalarView()
        var quoted = false
        var inQuotes = false
        var any = false
        while let character = characters.next() {
            if inQuotes {
                if character == "\\" {
                    guard let escaped = characters.next() else { return nil }
                    current.append(escaped)
                } else if character == "\"" {
                    inQuotes = false
                } else {
                    current.append(character)
                }
                continue
            }
            switch character {
            case "\"":
                inQuotes = true
                quoted = true
                any = true
            case ",", "}":
                if any {
                    let text = String(current)
                    elements.append(!quoted && text == "NULL" ? nil : text)
                }
                if character == "}" { return characters.next() == nil ? elements : nil }
                current = String.UnicodeScalarView()
                quoted = false
                any = true
            case "\\":
                guard let escaped = characters.next() else { return nil }
                current.append(escaped)
                any = true
            case "{": return nil
            default:
                current.append(character)
                any = true
            }
        }
        return nil
    }

    /// Writes an array literal exactly as the server's output function does, so that literals can be compared as texts.
    public static func write(_ elements: [String]) -> String { "{" + elements.map(quoted).joined(separator: ",") + "}" }

    private static func quoted(_ element: String) -> String {
        // The white space of `array_isspace`.
        let special: (UInt8) -> Bool = { byte in
            switch byte {
            case 0x22, 0x5C, 0x7B, 0x7D, 0x2C, 0x20, 0x09...0x0D: true
            default: false
            }
        }
        let isNull = element.utf8.count == 4 && element.lowercased() == "null"
        guard element.isEmpty || isNull || element.utf8.contains(where: special) else { return element }
        var text = "\""
        for scalar in element.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append(scalar)
        }
        return text + "\""
    }
}
