import Job

/// The command line by which a host's workers are started. It has nothing secret: who looks at the processes of either host
/// sees it.
struct SSHCommand: Equatable {
    /// Looked up in the `PATH`.
    static let program = "ssh"
    /// Seconds until a host that does not answer counts as away.
    static let connectSeconds = 10
    /// Seconds between two questions whether the other side is there, and how many may be without an answer.
    static let aliveSeconds = 5
    static let aliveCount = 3

    var arguments: [String]

    init(_ host: InventoryHost) {
        arguments = ["-T", "-a", "-x"]
        // The first word on an option holds: none of these can be said otherwise by a configuration.
        let options = [
            // Nobody is there to answer a question, so ssh says what is missing.
            "BatchMode=yes", "ConnectTimeout=\(Self.connectSeconds)", "ServerAliveInterval=\(Self.aliveSeconds)",
            "ServerAliveCountMax=\(Self.aliveCount)", "TCPKeepAlive=yes",
            // A connection of its own, which ends with this process.
            "ControlMaster=no", "ControlPath=none", "ControlPersist=no", "ClearAllForwardings=yes",
            "PermitLocalCommand=no", "RemoteCommand=none",
        ]
        if let file = host.sshConfig { arguments += ["-F", file] }
        for option in options { arguments += ["-o", option] }
        if let file = host.identity { arguments += ["-i", file] }
        if let port = host.port { arguments += ["-p", "\(port)"] }
        if let user = host.user { arguments += ["-l", user] }
        arguments += ["--", host.address, "exec \(Self.quoted(host.path)) \(Keeper.command)"]
    }

    /// A word for any shell.
    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
