public import Sharding

/// What a run changes: a table, its key, the new values and the limits. Read from a YAML file by ``load(path:)``.
///
/// A value of this type has passed every check that needs no database. What the catalogue decides (does the table exist,
/// is the key unique, do the columns exist) is checked later, before a run starts.
public struct Job: Sendable, Equatable {
    /// The job's name, 1 to 63 of `[a-z0-9_.-]`, the first a letter or digit. Default: the file's name, less its extension.
    public var name: String
    /// The table whose rows change.
    public var table: TableName
    /// The key's columns, 1 to 32, in order, or `nil` for the table's primary key.
    public var key: [String]?
    /// `where:`, the SQL condition that selects the rows, or `nil` for all rows.
    public var predicate: Expression?
    /// The new values: what PostgreSQL computes, or what a program computes.
    public var change: Change
    /// How much one transaction may hold.
    public var batch: BatchLimits
    /// The number of key ranges that the table is cut into.
    public var shards: ShardCount
    /// How often and how soon a failed shard is tried again.
    public var retry: RetryPolicy
    /// How long a batch may wait for a lock while it holds other locks, 1 ms to 60 s. Default: 200 ms.
    public var lockPatience: Duration = Job.defaultLockPatience
    /// The order of work within a shard, or `nil` for the preflight's choice.
    public var order: Order?
    /// The number of workers that write at the same time, 1 to 10,000, or `nil`: coord finds it by trying.
    public var inFlight: Int?
    /// The `TimeZone` of the sessions that move values, or `nil`: UTC for programs, that of the coordinator's session for SQL.
    public var timeZone: String?
    /// A libpq URI or key=value string that holds no password, or `nil` for libpq's environment.
    public var database: String?
    /// The schema of the ledger, or `nil` for the environment's, or `coord`.
    public var ledgerSchema: LedgerSchema?
    /// The absolute path of the job file's folder. Commands run there.
    public var directory: String
    /// The YAML as read, at most ``maximumFileBytes``. It goes to the ledger.
    public var text: String

    /// Where the new values come from.
    public enum Change: Sendable, Equatable {
        /// PostgreSQL computes them. 1 to 1600 assignments, in the file's order, each column once.
        case set([Assignment])
        /// A program computes them from each row's key and the columns read.
        case compute(Compute)
    }

    /// One column and the SQL expression of its new value.
    public struct Assignment: Sendable, Equatable {
        /// The column's name as the catalogue has it: unquoted, case folded.
        public var column: String
        /// The new value.
        public var expression: Expression

        /// Makes an assignment of `expression` to `column` (a catalogue name, unquoted).
        public init(column: String, expression: Expression) {
            self.column = column
            self.expression = expression
        }
    }

    /// SQL text from the job file and the place it stands at. It is code: it runs with the worker's rights.
    public struct Expression: Sendable, Equatable {
        /// The SQL, without leading line breaks and trailing white space. It may end in an SQL comment (`-- ...`).
        public var sql: String
        /// The line of the SQL's first character, from 1.
        public var line: Int
        /// The column of the SQL's first character, from 1, counted in Unicode scalars.
        public var column: Int
        /// Whether the file has the SQL in quotes. They are YAML's quotes: SQL never sees them.
        public var isQuoted: Bool

        /// Makes an expression of `sql` that stands at `line` and `column`, both from 1.
        public init(sql: String, line: Int = 1, column: Int = 1, isQuoted: Bool = false) {
            self.isQuoted = isQuoted
            self.sql = sql
            self.line = line
            self.column = column
        }
    }

    /// Values that a program computes outside the database.
    public struct Compute: Sendable, Equatable {
        /// The columns that the program gets beside the key; empty for the key alone.
        public var read: [String]
        /// The columns that the program gives values for, at least one, each once.
        public var writes: [String]
        /// What computes them.
        public var program: Program
        /// How long the program may take over one batch, 1 ms to 24 h. Default: 60 s.
        public var timeout: Duration
        /// How a command gets the values of bigint and numeric columns. Default: as JSON numbers.
        public var numbers: Numbers

        /// Makes a computation; the names are catalogue names, unquoted, and `timeout` is for one batch.
        public init(
            read: [String], writes: [String], program: Program, timeout: Duration = Job.defaultTimeout,
            numbers: Numbers = .json
        ) {
            self.read = read
            self.writes = writes
            self.program = program
            self.timeout = timeout
            self.numbers = numbers
        }
    }

    /// How the values of bigint and numeric columns are given to a command.
    public enum Numbers: String, Sendable, Equatable {
        /// As numbers of JSON.
        case json
        /// As strings of their digits.
        case strings
    }

    /// What computes the values of a batch.
    public enum Program: Sendable, Equatable {
        /// A program and its arguments, run without a shell in the job file's folder.
        case command([String])
        /// The name of a transform that is compiled into the worker, 1 to 63 of `[A-Za-z0-9_.-]`.
        case transform(String)
    }
}

extension Job {
    /// The rule of `isTransformName` in words.
    public static let transformNameRule = "1 to \(maximumNameLength) of letters, digits, '_', '.', '-'"

    /// Whether the text can name a transform in a job file.
    public static func isTransformName(_ text: String) -> Bool {
        (1...maximumNameLength).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                "_.-".utf8.contains($0) || Character(Unicode.Scalar($0)).isASCIIAlphanumeric
            }
    }

    /// Whether the text can name a job, or a host.
    static func isName(_ text: String) -> Bool {
        guard (1...maximumNameLength).contains(text.utf8.count) else { return false }
        return text.utf8.enumerated().allSatisfy { offset, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: offset > 0 && "_.-".utf8.contains(byte)
            }
        }
    }

    /// The largest job file, in bytes: 1 MiB. The text goes to the ledger and to every worker.
    public static let maximumFileBytes = 1 << 20
    /// The longest name of a job or a transform, in characters.
    static let maximumNameLength = 63
    /// The most columns in a list or in `set`: PostgreSQL's limit for a table.
    static let maximumColumns = 1600
    /// The most columns in a key: PostgreSQL's limit for an index.
    static let maximumKeyColumns = 32
    /// The most words of a command.
    static let maximumCommandWords = 1000
    /// How long a batch may wait for a lock when the file does not say: 200 ms.
    static let defaultLockPatience = Duration.milliseconds(200)
    static let inFlightRange = 1...10_000
    /// The longest name of a time zone, in bytes.
    static let maximumTimeZoneBytes = 255
    /// How long a program may take over one batch when the file does not say: 60 s.
    public static let defaultTimeout = Duration.seconds(60)
}
