public import Postgres
public import Sharding

/// How the values of a written column travel, so that the server does with each what `UPDATE t SET v = $1` does: it
/// goes through its type's input function, and is then assigned. An explicit cast has other rules: it cuts what is too
/// long for a domain.
public enum ValueForm: Sendable, Equatable {
    /// An array in binary form, assigned as it is: integers, booleans, uuid and text, and domains over them. The types
    /// varchar and char too: what is too long is refused by the assignment.
    case binary(ElementType)
    /// An array of texts; each is turned into the type of this name, by its input function since there is no cast.
    case converted(String)
    /// An array of the type of this name in text form, whose elements go through its input function.
    case literal(String)

    public static func of(_ column: Target.Column) -> ValueForm {
        let value = column.value
        switch ElementType(rawValue: value.base) {
        case .bool, .int8, .int2, .int4, .text, .uuid: return .binary(ElementType(rawValue: value.base) ?? .text)
        case .tid, .xid, nil: break
        }
        // bpchar, varchar
        if [1042, 1043].contains(value.base) { return .binary(.text) }
        return value.hasTextCast && value.hasArray ? .literal(value.name) : .converted(value.name)
    }

    /// The type of the array's elements, for the parameter's cast.
    var elementName: String {
        switch self {
        case .binary(let type): type.sqlName
        case .converted: ElementType.text.sqlName
        case .literal(let name): name
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
