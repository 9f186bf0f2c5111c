/// The schema that a ledger's tables are in.
public struct LedgerSchema: Equatable, Sendable, CustomStringConvertible {
    /// As the catalogue has it: unquoted, case folded.
    public let name: String
    /// As SQL writes it, and as the option and the job's key read it.
    public let quoted: String

    /// `coord`, where nobody says otherwise.
    public static let standard = LedgerSchema(checked: "coord")

    /// The longest name, in bytes: PostgreSQL cuts what is longer.
    public static let maximumBytes = 63
    /// By which the ledger's own functions are quoted.
    static let bodyQuote = "$body$"

    /// - Parameter name: as the catalogue has it.
    /// - Returns: nil where `fault` says why.
    public init?(_ name: String) {
        guard Self.fault(in: name) == nil else { return nil }
        self.init(checked: name)
    }

    private init(checked name: String) {
        self.name = name
        if name.isExactly("coord") {
            quoted = name
            return
        }
        // By scalars: with what combines with it a quote is one character, and ends the name all the same.
        var text = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" { text.unicodeScalars.append("\"") }
            text.unicodeScalars.append(scalar)
        }
        text.unicodeScalars.append("\"")
        quoted = text
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
            return "holds \(bodyQuote), by which the ledger's functions are quoted"
        }
        return nil
    }

    public var description: String { quoted }
}
