/// The types that a key column may have.
public enum KeyType: String, Sendable, CaseIterable {
    case smallint = "int2"
    case integer = "int4"
    case bigint = "int8"
    case uuid = "uuid"
    case text = "text"
    case varchar = "varchar"

    /// The name to cast to in SQL, with its schema: whoever may create types could give one of theirs a name of these.
    public var sqlName: String {
        switch self {
        case .smallint: "pg_catalog.int2"
        case .integer: "pg_catalog.int4"
        case .bigint: "pg_catalog.int8"
        case .uuid: "pg_catalog.uuid"
        case .text, .varchar: "pg_catalog.text"
        }
    }
}

/// A key, or a prefix of nothing: the columns' values in PostgreSQL's text form, in the order of the key's columns.
///
/// Only PostgreSQL compares keys: a text key's order is its collation's. Here they are only equal or not.
public struct Key: Hashable, Sendable, CustomStringConvertible {
    public var components: [String]
    public init(_ components: [String]) { self.components = components }
    public init(_ component: String) { components = [component] }

    /// Equal byte for byte: to Swift, texts that only Unicode calls equivalent are equal, to PostgreSQL they are two.
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
        components.count == 1 ? components[0] : "(" + components.joined(separator: ", ") + ")"
    }
}
