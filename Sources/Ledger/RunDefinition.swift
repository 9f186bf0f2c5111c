public import Sharding

/// A run's job, and the binding of the job when the run was made.
public struct RunDefinition: Sendable, Equatable {
    public var name: String
    /// The job file's text.
    public var text: String
    /// The folder in which the job's commands start.
    public var directory: String
    public var fingerprint: String
    /// The table's name, quoted and with its schema.
    public var table: String
    /// The search path for names in the job's expressions when the run was made; empty for the session's.
    public var searchPath: String
    /// The table's OID, which a rename does not change; nil in a run by an older coord.
    public var tableOID: UInt32?
    /// The binding of the run's key and columns, as JSON; nil in a run by an older coord.
    public var binding: String?
    /// The highest key when the run was made; nil if the last shard's end is open.
    public var endKey: Key?
    /// Session settings under which the job's expressions keep the meaning that they had when the run was made.
    public var settings: [String: String]
    /// The row limit of a batch after timeouts have lowered it; nil for the job's own limit.
    public var batchRows: Int?

    public init(
        name: String, text: String, directory: String, fingerprint: String, table: String, searchPath: String = "",
        tableOID: UInt32? = nil, binding: String? = nil, endKey: Key? = nil, settings: [String: String] = [:],
        batchRows: Int? = nil
    ) {
        self.name = name
        self.text = text
        self.directory = directory
        self.fingerprint = fingerprint
        self.table = table
        self.searchPath = searchPath
        self.tableOID = tableOID
        self.binding = binding
        self.endKey = endKey
        self.settings = settings
        self.batchRows = batchRows
    }
}
