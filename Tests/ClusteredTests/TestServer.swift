import Foundation
import Glibc
import Host
import Postgres

/// A PostgreSQL server that tests may use.
struct TestServer: Sendable {
    var host: String
    var port: String
    var user: String
    /// The database to connect to while a test's database is made.
    var database: String
    /// The folder of the server's files; nil for the shared server, which no test may stop.
    var folder: String?

    /// The server that Cluster/local/test.sh started.
    static func shared() throws -> TestServer {
        TestServer(
            host: try variable("PGHOST"), port: try variable("PGPORT"), user: try variable("PGUSER"),
            database: try variable("PGDATABASE"))
    }

    /// The program under test.
    static func coord() throws -> String {
        let path = try variable("COORD_BIN")
        guard access(path, X_OK) == 0 else { throw Missing(what: "COORD_BIN=\(path) is no program") }
        return path
    }

    /// Another program from the same build.
    static func program(_ name: String) throws -> String {
        let path = try coord().split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        return "\(path)/\(name)"
    }

    /// The file with the passwords for 127.0.0.1. The server of Cluster/local/test.sh listens there, too.
    static func passfile() throws -> String { try variable("PGPASSFILE") }

    static func variable(_ name: String) throws -> String {
        guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else {
            throw Missing(what: "\(name) is not set: run Cluster/local/test.sh")
        }
        return value
    }

    struct Missing: Error, CustomStringConvertible {
        var what: String
        var description: String { what }
    }

    /// The environment in which programs reach a database of this server.
    func environment(database: String) -> [String: String] {
        ["PGHOST": host, "PGPORT": port, "PGUSER": user, "PGDATABASE": database]
    }

    func settings(database: String, user: String? = nil) -> PostgresConnection.Settings {
        PostgresConnection.Settings(
            conninfo: "host=\(host) port=\(port) user=\(user ?? self.user) dbname=\(database)",
            applicationName: "coord tests")
    }
}

// MARK: - A server of a test's own

extension TestServer {
    /// The folder of this test target in the checkout, even if the build used a symbolic link.
    static let sources: String = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().path
        guard let resolved = realpath(folder, nil) else { return folder }
        defer { free(resolved) }
        return String(cString: resolved)
    }()

    private static let script = "\(sources)/../../Cluster/local/postgres.sh"

    /// Runs a test with a scenario on its own server. The test may stop and start that server, and freeze its sessions.
    static func own(_ body: (TestServer, Scenario) async throws -> Void) async throws {
        let server = try await make(in: "/tmp/coord-server-\(UUID().uuidString.prefix(8))")
        do {
            try await Scenario.run(on: server) { try await body(server, $0) }
        } catch {
            try await server.remove()
            throw error
        }
        try await server.remove()
    }

    private static func make(in folder: String) async throws -> TestServer {
        try await run("start", "-c", "shared_buffers=64MB", folder)
        return TestServer(
            host: try recalled("socket-dir", folder), port: try recalled("port", folder), user: try variable("PGUSER"),
            database: "coord", folder: folder)
    }

    private func remove() async throws { try await Self.run("remove", owned()) }

    enum Shutdown: Sendable, CaseIterable {
        /// Ends the sessions, then writes everything to disk: SIGINT.
        case fast
        /// Acts like a crash, so that the next start needs recovery: SIGQUIT.
        case immediate
    }

    /// Stops the server as `pg_ctl -m … stop` does, and waits until it is gone.
    func stop(_ mode: Shutdown) async throws {
        let folder = try owned()
        let data = try Self.recalled("data-dir", folder)
        let text = try String(contentsOfFile: "\(data)/postmaster.pid", encoding: .utf8)
        guard let pid = text.split(separator: "\n").first.flatMap({ pid_t($0) }) else {
            throw Missing(what: "no pid in \(data)/postmaster.pid")
        }
        kill(pid, mode == .fast ? SIGINT : SIGQUIT)
        try await eventually("the server has stopped") { kill(pid, 0) != 0 || LiveProcess.isZombie(pid) }
    }

    func start() async throws { try await Self.run("start", owned()) }

    private func owned() throws -> String {
        guard let folder else { throw Missing(what: "the shared server belongs to all tests") }
        return folder
    }

    private static func recalled(_ name: String, _ folder: String) throws -> String {
        try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func run(_ arguments: String...) async throws {
        let log = "/tmp/coord-postgres-\(UUID().uuidString).log"
        defer { unlink(log) }
        let process = try LiveProcess(script, arguments, output: log, errors: log)
        let ended = try await process.ended(within: .seconds(120))
        guard ended.status == 0 else { throw Missing(what: "postgres.sh \(arguments): \(ended.output)") }
    }
}
