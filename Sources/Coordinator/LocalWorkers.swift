import Glibc
import Host
import Sharding

/// The worker processes that a coordinator, or the keeper of another host, spawns on its own host, and keeps at their
/// number.
///
/// A worker's standard input is a pipe whose other end only the coordinator holds: when the coordinator dies, however
/// it dies, its workers see the end of their input and end. One byte through the pipe admits a worker: until then it
/// only gets ready, so that processes can start while the job is still being planned.
///
/// This class owns the processes, so exactly one instance exists, and its owner ends them.
public final class LocalWorkers {
    private struct Child {
        var pid: pid_t
        /// The coordinator's end of the pipe. It tells the worker that its coordinator lives.
        var leash: Int32
        /// A descriptor that is readable once the process has ended; -1 if the kernel has no such descriptors.
        var exit: Int32
        var joined = false
        /// Whether the process may have ended, so that `reap` asks about it.
        var isSuspect = false
    }

    /// A process that has ended.
    struct Exit {
        var pid: pid_t
        /// The process's descriptor, which is closed already.
        var descriptor: Int32
        var reason: String
        var joined: Bool
        /// Whether it ended as it should, since it was told to leave.
        var isDone: Bool
    }

    /// The number of processes that may end one after another without joining, before the coordinator gives up. As many
    /// times it tries to start one while it has none.
    static let failureLimit = 5
    /// The time between two looks at all processes, for those without a descriptor that reports their end.
    static let lookInterval = Duration.seconds(1)

    /// A folder that only this user can enter, for the workers' endpoint; nil where that is elsewhere.
    let folder: String?
    private let executable: String
    private let command: LeashedWorker
    /// What admits a worker. Nobody else can read it.
    private let admission: [UInt8]
    private let environment: [String: String]
    private(set) var wanted: Int
    private var admitted = false
    private var children: [pid_t: Child] = [:]
    /// The number of processes that have ended one after another without joining.
    private(set) var failures = 0
    /// Why the last process could not be started; nil after one that could.
    private(set) var spawnFault: String?
    private var spawnFailures = 0
    private var spawnAfter: Duration = .zero
    private var lookedAt: Duration = .zero
    /// Descriptors of new processes that nobody watches yet.
    private var unwatched: [Int32] = []

    /// Spawns the processes. They wait until they are admitted.
    ///
    /// - Parameters:
    ///   - executable: coord's own program.
    ///   - environment: variables to add to this process's own environment.
    ///   - verbose: whether the workers write more to standard error.
    public init(executable: String, environment: [String: String], count: Int, verbose: Bool) throws {
        let folder = try Endpoint.makePrivateFolder()
        self.folder = folder
        self.executable = executable
        command = LeashedWorker(endpoint: PrivateEndpoint.inside(folder), verbose: verbose)
        admission = [1]
        self.environment = environment
        wanted = count
        do {
            try spawnMissing()
        } catch {
            abandon()
            throw error
        }
    }

    /// Spawns the processes of another host, which are admitted as soon as they run, by keys.
    init(executable: String, _ handover: Handover, count: Int) throws {
        folder = nil
        self.executable = executable
        command = LeashedWorker(endpoint: handover.connect, verbose: handover.isVerbose, isKeyed: true)
        admission = LeashedWorker.Keys(own: handover.own, coordinator: handover.coordinator).bytes
        environment = handover.environment
        wanted = count
        admitted = true
        do {
            try spawnMissing()
        } catch {
            abandon()
            throw error
        }
    }

    /// Lets the workers connect, since the endpoint exists now.
    func admit() {
        admitted = true
        for child in children.values { admit(child) }
    }

    /// Ends the processes of a run that was never opened.
    public func abandon() {
        killAll()
        PrivateEndpoint.remove(command.endpoint)
    }

    /// Spawns the missing processes. If one cannot be spawned, those before it stay, and the next call that is not too
    /// soon tries again.
    func fill(now: Duration) {
        guard now >= spawnAfter else { return }
        do {
            try spawnMissing()
            (spawnFault, spawnFailures) = (nil, 0)
        } catch {
            spawnFault = "\(error)"
            spawnFailures += 1
            spawnAfter = now + Self.pause(after: spawnFailures)
        }
    }

    /// Whether trying on is of no use: processes end before they join, or none is left and none can be started.
    var cannotStart: Bool {
        failures >= Self.failureLimit || (spawnFailures >= Self.failureLimit && children.isEmpty)
    }

    private func spawnMissing() throws(CoordinatorError) {
        while children.count < wanted { try spawn() }
    }

    /// What cannot start must not be started again in a tight loop.
    private static func pause(after failures: Int) -> Duration { .milliseconds(200) * (1 << min(failures, 5)) }

    /// Descriptors of the processes that were spawned since the last call. Each becomes readable once its process has
    /// ended.
    func takeUnwatched() -> [Int32] {
        defer { unwatched.removeAll() }
        return unwatched
    }

    /// A process's descriptor has become readable.
    func exitSeen(_ descriptor: Int32) {
        for child in children.values where child.exit == descriptor { children[child.pid]?.isSuspect = true }
    }

    /// Collects the processes that have ended. It asks about those whose descriptor is readable, and from time to time
    /// about all, since the kernel may have no such descriptors.
    func reap(now: Duration) -> [Exit] {
        let asksAll = now - lookedAt >= Self.lookInterval
        if asksAll { lookedAt = now }
        var exits: [Exit] = []
        for child in children.values where child.isSuspect || asksAll {
            var status: Int32 = 0
            guard waitpid(child.pid, &status, WNOHANG) == child.pid else { continue }
            release(child)
            children[child.pid] = nil
            let reason = ChildProcess.describe(status: status)
            exits.append(
                Exit(
                    pid: child.pid, descriptor: child.exit, reason: reason, joined: child.joined, isDone: status == 0))
            // A keeper does not know who has joined; who was told to leave is no failure to it.
            guard !child.joined, !(command.isKeyed && status == 0) else { continue }
            failures += 1
            spawnAfter = now + Self.pause(after: failures)
        }
        return exits
    }

    func joined(_ pid: pid_t) {
        guard children[pid] != nil else { return }
        children[pid]?.joined = true
        failures = 0
    }

    /// One less is wanted.
    func reduce() { wanted = max(0, wanted - 1) }

    /// The failures so far count no more.
    func forgive() { failures = 0 }

    func contains(_ pid: pid_t) -> Bool { children[pid] != nil }
    var isEmpty: Bool { children.isEmpty }

    func kill(_ pid: pid_t) {
        guard children[pid] != nil else { return }
        Glibc.kill(pid, SIGKILL)
    }

    /// Asks all to finish their batches and leave.
    func drainAll() {
        for pid in children.keys { Glibc.kill(pid, SIGTERM) }
    }

    /// - Returns: the descriptors that are closed now, of which some may be watched.
    @discardableResult
    func killAll() -> [Int32] {
        let descriptors = children.values.map(\.exit).filter { $0 >= 0 }
        for pid in children.keys { Glibc.kill(pid, SIGKILL) }
        for child in children.values {
            var status: Int32 = 0
            waitpid(child.pid, &status, 0)
            release(child)
        }
        children.removeAll()
        return descriptors
    }

    private func admit(_ child: Child) {
        // The write fails for a process that has ended. `reap` notices that process.
        _ = write(child.leash, admission, admission.count)
    }

    private func release(_ child: Child) {
        close(child.leash)
        if child.exit >= 0 { close(child.exit) }
        unwatched.removeAll { $0 == child.exit }
    }

    private func spawn() throws(CoordinatorError) {
        do {
            try spawnLeashed()
        } catch {
            throw .program(executable, reason: "\(error)")
        }
    }

    private func spawnLeashed() throws {
        let leash = try Pipe()
        defer { close(leash.readEnd) }
        let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(nowhere) }
        do {
            let pid = try ChildProcess.spawn(
                executable, arguments: command.arguments, environment: environment,
                streams: (leash.readEnd, nowhere, nil))
            let child = Child(pid: pid, leash: leash.writeEnd, exit: ChildProcess.exitDescriptor(of: pid))
            children[pid] = child
            if child.exit >= 0 { unwatched.append(child.exit) }
            if admitted { admit(child) }
        } catch {
            close(leash.writeEnd)
            throw error
        }
    }
}
