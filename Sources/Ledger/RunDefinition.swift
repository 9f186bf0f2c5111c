public import Sharding

/// What identifies a run, and what its job was bound to when the run was made.
public struct RunDefinition: Sendable, Equatable {
    public var name: String
    /// The job file's text.
    public var text: String
    /// Folder that the job's commands start in.
    public var directory: String
    public var fingerprint: String
    /// Quoted, with its schema.
    public var table: String
    /// Where names in the job's expressions were looked up when the run was made. Empty for the session's own.
    public var searchPath: String
    /// The table itself, whatever its name is now; nil in a run that an older coord has made.
    public var tableOID: UInt32?
    /// What the run's key and columns were bound to, as JSON; nil in a run that an older coord has made.
    public var binding: String?
    /// The highest key when the run was made; nil where the last shard is open.
    public var endKey: Key?
    /// Settings of a session under which the job's expressions mean what they did when the run was made.
    public var settings: [String: String]
    /// Rows that a batch may have after timeouts made it smaller; nil for the job's own limit.
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
