/// What the values of a column are: its type behind all domains.
public struct ValueType: Codable, Sendable, Equatable {
    /// OID of the type; of the type that a domain is over, through domains over domains.
    public var base: UInt32
    /// Its name with its schema, quoted and without modifiers: `pg_catalog.varchar`, `public.mood`, `pg_catalog._int4`.
    public var name: String
    /// Of an array type: OID of the type of its elements, behind all domains; nil for every other type.
    public var element: UInt32?
    /// What stands between the elements of an array: a comma for all types that come with PostgreSQL but `box`.
    public var delimiter: UInt8
    /// Whether there is an array type of it.
    public var hasArray: Bool
    /// Whether there is a cast from text to it, whose rules may differ from those of its input function: an explicit cast
    /// to regclass refuses `-`, which an UPDATE takes.
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
