import Glibc
import Host
import Sharding

/// The worker processes that a coordinator spawns on its own host, and keeps at their number.
///
/// A worker's standard input is a pipe whose other end only the coordinator holds: when the coordinator dies, however
/// it dies, its workers see the end of their input and end.
struct LocalWorkers {
    struct Child {
        var pid: pid_t
        /// The end of the pipe that tells the worker that its coordinator is there.
        var leash: Int32
        var joined = false
    }

    /// A process that is gone.
    struct Exit {
        var pid: pid_t
        var reason: String
        var joined: Bool
    }

    /// Processes that end one after another without joining before the coordinator gives up.
    static let failureLimit = 5

    private let executable: String
    private let arguments: [String]
    private let environment: [String: String]
    private let wanted: Int
    private(set) var children: [pid_t: Child] = [:]
    /// Processes that ended one after another without joining.
    private(set) var failures = 0
    private var spawnAfter: Duration = .zero

    init(executable: String, arguments: [String], environment: [String: String], count: Int) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        wanted = count
    }

    /// Spawns what is missing.
    mutating func fill(now: Duration) throws {
        guard now >= spawnAfter else { return }
        while children.count < wanted { try spawn() }
    }

    /// Takes notice of processes that have ended.
    mutating func reap(now: Duration) -> [Exit] {
        var exits: [Exit] = []
        for child in children.values {
            var status: Int32 = 0
            guard waitpid(child.pid, &status, WNOHANG) == child.pid else { continue }
            close(child.leash)
            children[child.pid] = nil
            let reason = ChildProcess.describe(status: status)
            exits.append(Exit(pid: child.pid, reason: reason, joined: child.joined))
            guard !child.joined else { continue }
            failures += 1
            // A process that cannot start is not started in a tight loop.
            spawnAfter = now + .milliseconds(200) * (1 << min(failures, 5))
        }
        return exits
    }

    mutating func joined(_ pid: pid_t) {
        guard children[pid] != nil else { return }
        children[pid]?.joined = true
        failures = 0
    }

    func contains(_ pid: pid_t) -> Bool { children[pid] != nil }

    func kill(_ pid: pid_t) {
        guard children[pid] != nil else { return }
        Glibc.kill(pid, SIGKILL)
    }

    mutating func killAll() {
        for pid in children.keys { Glibc.kill(pid, SIGKILL) }
        for child in children.values {
            var status: Int32 = 0
            waitpid(child.pid, &status, 0)
            close(child.leash)
        }
        children.removeAll()
    }

    private mutating func spawn() throws {
        let leash = try Pipe()
        defer { close(leash.readEnd) }
        let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(nowhere) }
        do {
            let pid = try ChildProcess.spawn(
                executable, arguments: arguments, environment: environment,
                streams: (leash.readEnd, nowhere, nil))
            children[pid] = Child(pid: pid, leash: leash.writeEnd)
        } catch {
            close(leash.writeEnd)
            throw error
        }
    }
}
