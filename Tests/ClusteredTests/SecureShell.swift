import Foundation
import Glibc
import Testing

/// An sshd of a scenario, on loopback, with keys and a configuration of its own, and the files by which ssh and coord reach it.
struct SecureShell {
    let scenario: Scenario
    let port: Int
    private let folder: String
    private static let server = "/usr/sbin/sshd"

    /// Starts one, for the user who runs the tests, who can log in with a key of the scenario alone.
    static func start(_ scenario: Scenario) async throws -> SecureShell {
        let folder = "\(scenario.folder)/ssh"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        #expect(chmod(folder, 0o700) == 0)
        // As root it gives up its rights for a part of its work, and wants this folder for that.
        if geteuid() == 0 { mkdir("/run/sshd", 0o755) }
        for name in ["host_key", "id"] {
            let made = try await scenario.start(
                "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", "\(folder)/\(name)"]
            ).ended()
            #expect(made.status == 0, "\(made.errors)")
        }
        try FileManager.default.copyItem(atPath: "\(folder)/id.pub", toPath: "\(folder)/authorized_keys")
        let shell = SecureShell(scenario: scenario, port: try freePort(), folder: folder)
        try scenario.write(
            """
            ListenAddress 127.0.0.1
            Port \(shell.port)
            HostKey \(folder)/host_key
            AuthorizedKeysFile \(folder)/authorized_keys
            AuthenticationMethods publickey
            PermitRootLogin prohibit-password
            StrictModes no
            UsePAM no
            PidFile none
            SetEnv COORD_TEST_SCENARIO=\(scenario.name)
            """, to: "ssh/sshd_config")
        let hostKey = try String(contentsOfFile: "\(folder)/host_key.pub", encoding: .utf8)
        let words = hostKey.split(separator: " ").prefix(2).joined(separator: " ")
        try scenario.write("[127.0.0.1]:\(shell.port) \(words)\n", to: "ssh/known_hosts")
        for (file, known) in [("config", "known_hosts"), ("wary_config", "nobody_known")] {
            try scenario.write(
                """
                IdentityFile \(folder)/id
                IdentitiesOnly yes
                UserKnownHostsFile \(folder)/\(known)
                GlobalKnownHostsFile /dev/null
                """, to: "ssh/\(file)")
        }
        try await shell.serve()
        return shell
    }

    @discardableResult
    func serve() async throws -> LiveProcess {
        let process = try scenario.start(
            Self.server, ["-D", "-f", "\(folder)/sshd_config", "-E", "\(folder)/log"])
        try await eventually("sshd listens: \(folder)/log") { Self.listens(at: port) }
        return process
    }

    /// A file of hosts in which all are this one.
    /// - Parameters:
    ///   - knowsHost: whether ssh knows the host's key.
    ///   - more: further lines of the file.
    func inventory(
        _ names: [String] = ["db1"], path: String? = nil, knowsHost: Bool = true, more: String = "here: 0\n"
    ) throws -> String {
        let variables = scenario.server.environment(database: scenario.name).sorted { $0.key < $1.key }
        let environment = variables.map { "    \($0.key): '\($0.value)'" }.joined(separator: "\n")
        let hosts = names.map { "  \($0): { address: 127.0.0.1, port: \(port) }" }.joined(separator: "\n")
        return try scenario.write(
            """
            defaults:
              path: \(try path ?? TestServer.coord())
              ssh_config: ssh/\(knowsHost ? "config" : "wary_config")
              environment:
            \(environment)
            hosts:
            \(hosts)
            \(more)
            """, to: "hosts.yaml")
    }

    /// The processes of ssh that a coordinator has started.
    var clients: [pid_t] {
        scenario.pids.filter { LiveProcess.commandLine(of: $0).first == "ssh" }
    }

    /// What has been started on the host.
    var keepers: [pid_t] {
        scenario.pids.filter { LiveProcess.commandLine(of: $0).dropFirst().first == "keep-workers" }
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(isBound)
        return Int(UInt16(bigEndian: address.sin_port))
    }

    private static func listens(at port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(port: port)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
