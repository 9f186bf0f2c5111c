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
}
