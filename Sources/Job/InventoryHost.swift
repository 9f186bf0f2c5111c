/// A host on which a coordinator starts workers over ssh. What is nil is ssh's or the host's own to decide.
public struct InventoryHost: Sendable, Equatable {
    /// What messages call it.
    public var name: String
    /// An address, or a name that ssh knows.
    public var address: String
    public var user: String?
    public var port: Int?
    /// The number of worker processes; nil for that of the command line.
    public var workers: Int?
    /// The program coord there: a name in the `PATH`, or a path, which starts at the user's home.
    public var path: String
    /// A file with ssh's private key, on the coordinator's host.
    public var identity: String?
    /// A configuration of ssh, on the coordinator's host, instead of the user's.
    public var sshConfig: String?
    /// What to connect to, without a password.
    public var database: String?
    /// Variables of the workers there.
    public var environment: [String: String]

    /// The workers of a host have one key, and a coordinator takes no more of a key.
    package static let workersRange = 0...128
    static let portRange = 1...65_535
    static let defaultPath = "coord"
    static let maximumVariables = 100
    /// The names and values of all variables of a host together, in bytes: they go through a pipe at once.
    static let maximumEnvironmentBytes = 32 << 10
    /// The longest text of any other key, in bytes.
    static let maximumTextBytes = 1024

    public init(
        name: String, address: String, user: String? = nil, port: Int? = nil, workers: Int? = nil,
        path: String = "coord", identity: String? = nil, sshConfig: String? = nil, database: String? = nil,
        environment: [String: String] = [:]
    ) {
        self.name = name
        self.address = address
        self.user = user
        self.port = port
        self.workers = workers
        self.path = path
        self.identity = identity
        self.sshConfig = sshConfig
        self.database = database
        self.environment = environment
    }
}
