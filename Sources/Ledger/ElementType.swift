public import Sharding

/// How the values of a written column travel: as an array of this type, in binary form.
///
/// Integers, booleans, uuid and text go as they are. Everything else goes as text, and the server converts each value
/// as it would a literal.
public enum ElementType: UInt32, Sendable, CaseIterable {
    case bool = 16
    case int8 = 20
    case int2 = 21
    case int4 = 23
    case text = 25
    /// A row's place, as `(block,offset)`.
    case tid = 27
    case xid = 28
    case uuid = 2950

    /// The wire form for values of a column.
    public static func of(_ column: Target.Column) -> ElementType {
        // varchar and char have a length that text does not carry: they are cast.
        ElementType(rawValue: column.value.base) ?? .text
    }

    /// Whether the column takes the array's elements without a cast.
    var isExact: Bool { self != .text }

    public var sqlName: String {
        switch self {
        case .bool: "boolean"
        case .int8: "bigint"
        case .int2: "smallint"
        case .int4: "integer"
        case .text: "text"
        case .tid: "tid"
        case .xid: "xid"
        case .uuid: "uuid"
        }
    }
}

extension ElementType {
    /// The wire form of keys.
    public static func of(keyType: KeyType) -> ElementType {
        switch keyType {
        case .smallint: .int2
        case .integer: .int4
        case .bigint: .int8
        case .uuid: .uuid
        case .text, .varchar: .text
        }
    }
}
