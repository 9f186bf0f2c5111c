public import Postgres
public import Sharding

/// The form in which a written column's values are sent, so that the server treats each like `UPDATE t SET v = $1`: the
/// type's input function reads it, and an assignment follows. An explicit cast has other rules: it cuts a value that is
/// too long for a domain.
public enum ValueForm: Sendable, Equatable {
    /// An array in binary form: integers, booleans, uuid and text, and domains over them. Also varchar and char: the
    /// assignment refuses a value that is too long.
    case binary(ElementType)
    /// An array of texts. Each becomes a value of the type of this name, through the type's input function, since there
    /// is no cast.
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
