import Foundation
import Glibc
import Postgres
import Support
import Synchronization
import Testing

/// The world of one test: a database, a folder for its files, and every process that it starts.
///
/// All processes, including those that coord starts, carry the scenario's name in their environment. At the end the
/// scenario kills the remaining ones by pid, also after a failure.
final class Scenario: Sendable {
    let server: TestServer
    let name: String
    let folder: String
    let session: TestSession
    private let sessions = Mutex<[TestSession]>([])
    private let started = Mutex<[LiveProcess]>([])

    private static let variable = "COORD_TEST_SCENARIO"

    private init(server: TestServer) throws {
        self.server = server
        name = "clustered_" + UUID().uuidString.lowercased().replacing("-", with: "").prefix(16)
        folder = "/tmp/coord-\(name)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        session = TestSession(server.settings(database: name))
    }

    /// Makes a scenario, runs the test in it, and removes it.
    static func run(on server: TestServer? = nil, _ body: (Scenario) async throws -> Void) async throws {
        await Slots.shared.take()
        let started = ContinuousClock.now
        // The time that the test library reports includes the wait for a slot. So the scenario prints its own time,
        // from which Cluster/local/test.sh lists the slowest.
        defer {
            let milliseconds = Int((ContinuousClock.now - started) / .milliseconds(1))
            print("own time: \(Double(milliseconds) / 1000) s, \(Test.current?.name ?? "?")")
        }
        do {
            try await unlimited(on: server, body)
        } catch {
            await Slots.shared.give()
            throw error
        }
        await Slots.shared.give()
    }

    private static func unlimited(on server: TestServer?, _ body: (Scenario) async throws -> Void) async throws {
        let server = try server ?? TestServer.shared()
        let scenario = try Scenario(server: server)
        let maker = TestSession(server.settings(database: server.database))
        var failure: (any Error)?
        do {
            try await maker.execute("CREATE DATABASE \(scenario.name)")
            // The connection is closed now, since the test may restart the server.
            await maker.close()
            try await body(scenario)
        } catch {
            failure = error
        }
        await scenario.end()
        // The test's own failure matters more than a failure to clean up.
        do {
            try await maker.execute("DROP DATABASE IF EXISTS \(scenario.name) WITH (FORCE)")
        } catch { failure = failure ?? error }
        await maker.close()
        if let failure { throw failure }
    }

    private func end() async {
        for pid in pids { kill(pid, SIGKILL) }
        for process in started.withLock({ $0 }) {
            // The process was killed above. This waits only until the kernel reports its end.
            _ = try? await process.ended(within: .seconds(10))
        }
        for session in sessions.withLock({ $0 }) + [session] { await session.close() }
        // Files that stay in /tmp do no harm.
        try? FileManager.default.removeItem(atPath: folder)
    }

    // MARK: - Database

    /// Another connection to the scenario's database.
    func connect(as user: String? = nil) -> TestSession {
        let session = TestSession(server.settings(database: name, user: user))
        sessions.withLock { $0.append(session) }
        return session
    }

    /// A connection to another database of the same server.
    func connect(to database: String) -> TestSession {
        let session = TestSession(server.settings(database: database))
        sessions.withLock { $0.append(session) }
        return session
    }

    /// The number of the newest run. Waits until there is one.
    func newestRun() async throws -> Int {
        try await first("there is a run") {
            guard try await self.session.bool("SELECT to_regclass('coord.run') IS NOT NULL") else { return nil }
            return try await self.session.text("SELECT max(id) FROM coord.run").flatMap { Int($0) }
        }
    }

    func state(of run: Int) async throws -> String? {
        try await session.text("SELECT state FROM coord.run WHERE id = \(run)")
    }

    func rowsDone(_ run: Int) async throws -> Int {
        try await session.int("SELECT COALESCE(sum(rows_done), 0) FROM coord.shard WHERE run_id = \(run)")
    }

    // MARK: - Files

    /// Writes a file into the scenario's folder.
    @discardableResult
    func write(_ text: String, to file: String) throws -> String {
        let path = "\(folder)/\(file)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// Writes a job file. The file's name is the job's name.
    func job(_ text: String, file: String = "job.yaml") throws -> String { try write(text, to: file) }

    /// Copies a compute program of this test target into the scenario's folder.
    @discardableResult
    func program(_ name: String, as file: String? = nil) throws -> String {
        let text = try String(contentsOfFile: "\(TestServer.sources)/Programs/\(name)", encoding: .utf8)
        return try write(text, to: file ?? name)
    }

    // MARK: - Processes

    var environment: [String: String] {
        var own = [Self.variable: name, "COORD_KEYS": "\(folder)/keys"]
        // Else only root could find a process with keys by its environment.
        if geteuid() != 0 { own["COORD_TEST_SHOWN"] = "1" }
        return server.environment(database: name).merging(own) { $1 }
    }

    func start(_ program: String, _ arguments: [String], environment extra: [String: String] = [:]) throws
        -> LiveProcess
    {
        let file = "\(folder)/\(UUID().uuidString)"
        let process = try LiveProcess(
            program, arguments, environment: environment.merging(extra) { $1 }, output: "\(file).out",
            errors: "\(file).err")
        started.withLock { $0.append(process) }
        return process
    }

    func start(
        _ program: String, _ arguments: [String], on terminal: PseudoTerminal, environment extra: [String: String]
    ) throws -> LiveProcess {
        let process = try LiveProcess(
            program, arguments, environment: environment.merging(extra) { $1 }, terminal: terminal)
        started.withLock { $0.append(process) }
        return process
    }

    func coord(_ arguments: String..., environment: [String: String] = [:]) throws -> LiveProcess {
        try start(TestServer.coord(), arguments, environment: environment)
    }

    /// Runs coord and waits for its end.
    func run(_ arguments: String..., environment: [String: String] = [:]) async throws -> LiveProcess.Ended {
        try await start(TestServer.coord(), arguments, environment: environment).ended(within: .seconds(90))
    }

    /// All living processes of this scenario.
    var pids: [pid_t] {
        LiveProcess.pids(withEnvironment: "\(Self.variable)=\(name)").filter { !LiveProcess.isZombie($0) }
    }

    /// The living worker processes.
    var workers: [pid_t] {
        pids.filter { LiveProcess.commandLine(of: $0).dropFirst().first == "worker" }
    }
}
