/// The table of a job as the catalogue knows it, with every name quoted by the server's rules.
///
/// Its texts go into SQL as they are. Only `Preflight` makes one, from the catalogue.
public struct Target: Codable, Sendable, Equatable {
    public struct Column: Codable, Sendable, Equatable {
        /// As in the catalogue.
        public var name: String
        /// Its number in the table, which no rename changes.
        public var number: Int
        /// Quoted.
        public var quoted: String
        /// OID of its type.
        public var type: UInt32
        /// Its type with modifiers, as `format_type` spells it.
        public var typeName: String
        /// What its values are: its type behind all domains.
        public var value: ValueType

        public init(
            name: String, number: Int = 0, quoted: String, type: UInt32, typeName: String, value: ValueType
        ) {
            self.name = name
            self.number = number
            self.quoted = quoted
            self.type = type
            self.typeName = typeName
            self.value = value
        }
    }

    public struct Assignment: Codable, Sendable, Equatable {
        public var column: Column
        public var expression: String
        public init(column: Column, expression: String) {
            self.column = column
            self.expression = expression
        }
    }

    public enum Change: Codable, Sendable, Equatable {
        case set([Assignment])
        case compute(read: [Column], writes: [Column])
    }

    public var oid: UInt32
    /// Quoted, with its schema.
    public var table: String
    /// The table's own name, quoted: how expressions of the job may qualify columns.
    public var alias: String
    public var key: KeySchema
    public var predicate: String?
    public var change: Change
    /// SQL for the stored bytes of a row's values that a `set` job reads or writes and that may be long; nil when none
    /// may.
    public var width: String?
    /// Some of the table's values are so long that they are kept outside its pages.
    public var isToasted: Bool
    /// Columns that must stay what they are while the run is under way: the key, what is read and written, and those
    /// whose names stand in the job's SQL.
    public var bound: [Column]
    /// Triggers fire for updates, or the job's SQL calls functions that are not PostgreSQL's own or holds
    /// subqueries: queries of somebody else are planned in coord's sessions.
    public var runsForeignQueries: Bool
    /// Triggers of the application fire for updates.
    public var hasUpdateTriggers: Bool

    public init(
        oid: UInt32, table: String, alias: String, key: KeySchema, predicate: String?, change: Change,
        width: String? = nil, isToasted: Bool = false, bound: [Column]? = nil,
        runsForeignQueries: Bool = false, hasUpdateTriggers: Bool = false
    ) {
        self.runsForeignQueries = runsForeignQueries
        self.hasUpdateTriggers = hasUpdateTriggers
        switch change {
        case .set(let assignments): self.bound = bound ?? key.columns + assignments.map(\.column)
        case .compute(let read, let writes): self.bound = bound ?? key.columns + read + writes
        }
        self.width = width
        self.isToasted = isToasted
        self.oid = oid
        self.table = table
        self.alias = alias
        self.key = key
        self.predicate = predicate
        self.change = change
    }
}
