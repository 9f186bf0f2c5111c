/// A key: its columns' values in PostgreSQL's text form, in the order of the key's columns.
///
/// Only PostgreSQL compares keys: a text key's order is its collation's. Here they are only equal or not.
public struct Key: Hashable, Sendable, CustomStringConvertible {
    /// The most columns that a key may have.
    public static let columnLimit = 4

    public var components: [String]
    public init(_ components: [String]) { self.components = components }
    public init(_ component: String) { components = [component] }

    /// The value of a key of one column; nil for one of several.
    public var onlyComponent: String? { components.count == 1 ? components[0] : nil }

    /// Byte for byte, as PostgreSQL compares. Swift's own `==` also takes canonically equivalent texts for equal.
    public static func == (left: Key, right: Key) -> Bool {
        left.components.count == right.components.count
            && zip(left.components, right.components).allSatisfy { $0.utf8.elementsEqual($1.utf8) }
    }

    public func hash(into hasher: inout Hasher) {
        for component in components {
            for byte in component.utf8 { hasher.combine(byte) }
            hasher.combine(UInt8(0))
        }
    }

    public var description: String {
        onlyComponent ?? "(" + components.joined(separator: ", ") + ")"
    }

    // MARK: - In the ledger

    /// The key as an array of texts, in PostgreSQL's text form: `{17,x}`. The ledger stores checkpoints and the ends of
    /// ranges so.
    public var literal: String { PostgresArray.write(components) }

    /// - Parameter literal: an array of texts, as the server writes it; nil for null.
    /// - Returns: nil for null.
    public init?(literal: String?) {
        guard let elements = literal.flatMap({ PostgresArray.parse($0) })?.compactMap({ $0 }), !elements.isEmpty else {
            return nil
        }
        components = elements
    }

    /// The key as one text, as the ledger stores lists of keys: the value of the only column, or an array's literal.
    public var text: String { onlyComponent ?? literal }

    /// Reads one entry of such a list. An entry of several columns that is no array literal was written by hand. It
    /// becomes a key of one column, so that the next check finds it instead of losing it.
    public init(listed text: String, columns: Int) {
        self = columns == 1 ? Key(text) : Key(literal: text) ?? Key(text)
    }

    /// Reads such a list, as the server writes the array; empty for null.
    public static func list(_ array: String?, columns: Int) -> [Key] {
        (array.flatMap { PostgresArray.parse($0) } ?? []).compactMap { $0.map { Key(listed: $0, columns: columns) } }
    }
}
