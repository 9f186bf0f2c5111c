/// The type of a column's values behind all domains.
public struct ValueType: Codable, Sendable, Equatable {
    /// OID of the type; of the type that a domain is over, through domains over domains.
    public var base: UInt32
    /// Its name with its schema, quoted and without modifiers: `pg_catalog.varchar`, `public.mood`, `pg_catalog._int4`.
    public var name: String
    /// Of an array type: OID of the type of its elements, behind all domains; nil for every other type.
    public var element: UInt32?
    /// The delimiter between the elements of an array: a comma for all of PostgreSQL's own types but `box`.
    public var delimiter: UInt8
    /// Whether the type has an array type.
    public var hasArray: Bool
    /// Whether the type has a cast from text. The cast's rules may differ from the input function's: an explicit cast
    /// to regclass refuses `-`, which an UPDATE accepts.
    public var hasTextCast: Bool

    public init(
        base: UInt32, name: String, element: UInt32? = nil, delimiter: UInt8 = 44, hasArray: Bool = true,
        hasTextCast: Bool = false
    ) {
        self.hasTextCast = hasTextCast
        self.base = base
        self.name = name
        self.element = element
        self.delimiter = delimiter
        self.hasArray = hasArray
    }
}
