import Glibc
import Host
import Sharding

/// The worker processes that a coordinator spawns on its own host, and keeps at their number.
///
/// A worker's standard input is a pipe whose other end only the coordinator holds: when the coordinator dies, however
/// it dies, its workers see the end of their input and end. One byte through the pipe admits a worker: until then it
/// only gets ready, so that processes can start while the job is still being planned.
public struct LocalWorkers: Sendable {
    struct Child {
        var pid: pid_t
        /// The end of the pipe that tells the worker that its coordinator is there.
        var leash: Int32
        /// Readable once the process has ended; -1 where the kernel has no such descriptors.
        var exit: Int32
        var joined = false
    }

    /// A process that is gone.
    struct Exit {
        var pid: pid_t
        /// Its descriptor, closed by now.
        var descriptor: Int32
        var reason: String
        var joined: Bool
    }

    /// Processes that end one after another without joining before the coordinator gives up.
    static let failureLimit = 5

    /// A folder that only this user can enter, for the workers' endpoint.
    let folder: String
    private let executable: String
    private let verbose: Bool
    private let environment: [String: String]
    let wanted: Int
    private var admitted = false
    private(set) var children: [pid_t: Child] = [:]
    /// Processes that ended one after another without joining.
    private(set) var failures = 0
    private var spawnAfter: Duration = .zero

    /// Spawns the processes. They wait to be admitted.
    ///
    /// - Parameters:
    ///   - executable: coord's own program.
    ///   - environment: added to this process's own.
    ///   - verbose: whether they say more on standard error.
    public init(executable: String, environment: [String: String], count: Int, verbose: Bool) throws {
        folder = try Endpoint.makePrivateFolder()
        self.executable = executable
        self.verbose = verbose
        self.environment = environment
        wanted = count
        do {
            try fill(now: .zero)
        } catch {
            abandon()
            throw error
        }
    }

    /// Where they connect to.
    var endpoint: String { PrivateEndpoint.inside(folder) }

    /// Lets the workers connect: the endpoint is there.
    mutating func admit() {
        admitted = true
        for child in children.values { admit(child) }
    }

    /// Ends what was spawned for a run that did not come about.
    public mutating func abandon() {
        killAll()
        PrivateEndpoint.remove(endpoint)
    }

    /// Spawns what is missing.
    /// - Returns: the descriptors of the new processes, which can be read once they have ended.
    @discardableResult
    mutating func fill(now: Duration) throws -> [Int32] {
        guard now >= spawnAfter else { return [] }
        var descriptors: [Int32] = []
        while children.count < wanted { descriptors.append(try spawn()) }
        return descriptors.filter { $0 >= 0 }
    }

    var exitDescriptors: [Int32] { children.values.map(\.exit).filter { $0 >= 0 } }

    /// Takes notice of processes that have ended.
    mutating func reap(now: Duration) -> [Exit] {
        var exits: [Exit] = []
        for child in children.values {
            var status: Int32 = 0
            guard waitpid(child.pid, &status, WNOHANG) == child.pid else { continue }
            release(child)
            children[child.pid] = nil
            let reason = ChildProcess.describe(status: status)
            exits.append(Exit(pid: child.pid, descriptor: child.exit, reason: reason, joined: child.joined))
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
            release(child)
        }
        children.removeAll()
    }

    private func admit(_ child: Child) {
        var byte: UInt8 = 1
        // A process that has ended is noticed when it is waited for.
        _ = write(child.leash, &byte, 1)
    }

    private func release(_ child: Child) {
        close(child.leash)
        if child.exit >= 0 { close(child.exit) }
    }

    private mutating func spawn() throws -> Int32 {
        let leash = try Pipe()
        defer { close(leash.readEnd) }
        let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(nowhere) }
        do {
            let pid = try ChildProcess.spawn(
                executable,
                arguments: LeashedWorker(endpoint: endpoint, verbose: verbose).arguments, environment: environment,
                streams: (leash.readEnd, nowhere, nil))
            let child = Child(pid: pid, leash: leash.writeEnd, exit: ChildProcess.exitDescriptor(of: pid))
            children[pid] = child
            if admitted { admit(child) }
            return child.exit
        } catch {
            close(leash.writeEnd)
            throw error
        }
    }
}
