/// The types that a key column may have.
public enum KeyType: String, Codable, Sendable, CaseIterable {
    case smallint = "int2"
    case integer = "int4"
    case bigint = "int8"
    case uuid = "uuid"
    case text = "text"
    case varchar = "varchar"

    /// The type's name for a cast in SQL, with its schema: another role may have made a type of the same bare name.
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
