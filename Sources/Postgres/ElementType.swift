/// The element types of arrays that are sent in binary form.
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

    /// The type's name with its schema, for a cast.
    public var sqlName: String {
        switch self {
        case .bool: "pg_catalog.bool"
        case .int8: "pg_catalog.int8"
        case .int2: "pg_catalog.int2"
        case .int4: "pg_catalog.int4"
        case .text: "pg_catalog.text"
        case .tid: "pg_catalog.tid"
        case .xid: "pg_catalog.xid"
        case .uuid: "pg_catalog.uuid"
        }
    }
}
