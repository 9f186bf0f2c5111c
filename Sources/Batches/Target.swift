/// The table of a job as the catalogue knows it, with every name quoted by the server's rules.
///
/// Its texts go into SQL unchanged. Only `Preflight` makes a target, from the catalogue.
public struct Target: Codable, Sendable, Equatable {
    public struct Column: Codable, Sendable, Equatable {
        /// The name in the catalogue.
        public var name: String
        /// Its number in the table, which no rename changes.
        public var number: Int
        /// The quoted name.
        public var quoted: String
        /// OID of its type.
        public var type: UInt32
        /// Its type with modifiers, as `format_type` spells it.
        public var typeName: String
        /// The type of its values behind all domains.
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
    /// The quoted name with its schema.
    public var table: String
    /// The table's own name, quoted: how expressions of the job may qualify columns.
    public var alias: String
    public var key: KeySchema
    public var predicate: String?
    public var change: Change
    /// SQL for the stored bytes of a row's long values that a `set` job reads or writes; nil if there are none.
    public var width: String?
    /// Some of the table's values are so long that they are kept outside its pages.
    public var isToasted: Bool
    /// Columns that must not change during the run: the key, the columns read and written, and the columns whose names
    /// stand in the job's SQL.
    public var bound: [Column]
    /// Whether foreign queries are planned in coord's sessions: triggers fire for updates, or the job's SQL has
    /// subqueries or calls functions that are not PostgreSQL's own.
    public var runsForeignQueries: Bool
    /// Whether the application's triggers fire for updates.
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
