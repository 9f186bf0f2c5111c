/// The schema that a ledger's tables are in.
public struct LedgerSchema: Equatable, Sendable, CustomStringConvertible {
    /// The name as in the catalogue: unquoted, case folded.
    public let name: String
    /// The name as SQL writes it. `--ledger-schema` and the job's key take the same form.
    public let quoted: String

    /// The default: `coord`.
    public static let standard = LedgerSchema(checked: "coord")

    /// The longest name, in bytes: PostgreSQL cuts what is longer.
    public static let maximumBytes = 63
    /// The dollar quote around the bodies of the ledger's functions.
    static let bodyQuote = "$body$"

    /// - Parameter name: the name as in the catalogue.
    /// - Returns: nil for a name that `fault` refuses.
    public init?(_ name: String) {
        guard Self.fault(in: name) == nil else { return nil }
        self.init(checked: name)
    }

    private init(checked name: String) {
        self.name = name
        quoted = name.isExactly("coord") ? name : Self.quoted(name)
    }

    /// A name in double quotes.
    package static func quoted(_ name: String) -> String {
        // Scalar by scalar: a quote with a combining mark is one `Character`, but still ends the name in SQL.
        var text = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" { text.unicodeScalars.append("\"") }
            text.unicodeScalars.append(scalar)
        }
        text.unicodeScalars.append("\"")
        return text
    }

    public static func == (left: LedgerSchema, right: LedgerSchema) -> Bool { left.name.isExactly(right.name) }

    /// Why a ledger's schema cannot have this name, or nil when it can. The reason fits behind the name.
    public static func fault(in name: String) -> String? {
        guard (1...maximumBytes).contains(name.utf8.count) else {
            return "has \(name.utf8.count) bytes, and a schema's name has 1 to \(maximumBytes)"
        }
        let isControl = { (scalar: Unicode.Scalar) in scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) }
        if name.unicodeScalars.contains(where: isControl) { return "holds a control character" }
        if name.utf8.starts(with: "pg_".utf8) || name.isExactly("information_schema") {
            return "is PostgreSQL's own"
        }
        if name.utf8.contains(bodyQuote.utf8) {
            return "holds \(bodyQuote), the quote around the ledger's functions"
        }
        return nil
    }

    public var description: String { quoted }
}
