/// PostgreSQL's rules for names (manual, 4.1.1, Identifiers and Key Words).
enum Identifier {
    /// PostgreSQL's limit, which it enforces by cutting the name: NAMEDATALEN - 1.
    static let maximumBytes = 63

    /// The parts of a dotted name: `public."Order Items"` gives `public` and `Order Items`.
    ///
    /// Parts that are not quoted fold to lower case, ASCII only, as PostgreSQL does in UTF-8.
    static func parts(of text: String) throws(Complaint) -> [String] {
        var rest = Substring(text).unicodeScalars
        var parts: [String] = []
        while true {
            let part = rest.first == "\"" ? try takeQuoted(&rest, of: text) : try takePlain(&rest, of: text)
            guard part.utf8.count <= maximumBytes else {
                throw Complaint("the name \(part.shown) is longer than \(maximumBytes) bytes, PostgreSQL's limit")
            }
            parts.append(part)
            guard let next = rest.first else { return parts }
            guard next == "." else { throw unexpected(next, in: text) }
            rest.removeFirst()
        }
    }

    static func quotedWhereNeeded(_ name: String) -> String {
        let isPlain = name.utf8.enumerated().allSatisfy { offset, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): offset > 0
            default: false
            }
        }
        return isPlain && !name.isEmpty ? name : quoted(name)
    }

    static func quoted(_ name: String) -> String {
        // Scalar by scalar: a quote with a combining mark is one `Character`, but still ends the name in SQL.
        "\"" + name.unicodeScalars.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
    }

    private typealias Scalars = Substring.UnicodeScalarView

    private static func takeQuoted(_ rest: inout Scalars, of text: String) throws(Complaint) -> String {
        rest.removeFirst()
        var name = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            if scalar != "\"" {
                name.append(scalar)
            } else if rest.first == "\"" {
                name.append(rest.removeFirst())
            } else if name.isEmpty {
                throw Complaint("a name in \(text.shown) is empty")
            } else {
                return String(name)
            }
        }
        throw Complaint("the quoted name in \(text.shown) has no closing '\"'")
    }

    private static func takePlain(_ rest: inout Scalars, of text: String) throws(Complaint) -> String {
        var name = ""
        while let scalar = rest.first, scalar != "." {
            guard isAllowed(scalar, first: name.isEmpty) else { throw unexpected(scalar, in: text) }
            name.unicodeScalars.append(folded(scalar))
            rest.removeFirst()
        }
        guard !name.isEmpty else { throw Complaint("a name in \(text.shown) is empty") }
        return name
    }

    private static func isAllowed(_ scalar: Unicode.Scalar, first: Bool) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "_": true
        case "0"..."9", "$": !first
        // PostgreSQL accepts invisible spaces in names; in a job file they come from the clipboard by accident.
        default: scalar.value >= 0x80 && !scalar.properties.isWhitespace
        }
    }

    private static func folded(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        ("A"..."Z").contains(scalar) ? Unicode.Scalar(UInt8(scalar.value) + 32) : scalar
    }

    private static func unexpected(_ scalar: Unicode.Scalar, in text: String) -> Complaint {
        Complaint(
            "\(text.shown) is not a name: \(String(scalar).shown) may stand there only in double quotes",
            mend: "Write the name in double quotes inside single quotes, such as '\"Order Items\"'.")
    }
}
