import Glibc
import Host
import Job

/// The process on another host that a coordinator starts over ssh: it starts the workers there, keeps them at their number,
/// and ends them with the coordinator.
///
/// Its standard input is a leash, like a local worker's. When the coordinator or ssh is gone, however that came, the workers
/// drain, and those that take too long are killed. When the keeper itself is killed, its workers end at once.
package struct Keeper {
    /// The command of coord that it is.
    package static let command = "keep-workers"
    /// What it says on standard output once its workers are started, with their number.
    static let greeting = "coord keeps workers: "
    /// Between two looks at its workers.
    private static let interval = Duration.milliseconds(100)
    /// Failures before this time are forgotten.
    private static let memory = Duration.seconds(60)

    private let workers: LocalWorkers
    private var leash = KeeperLeash(now: MonotonicTime.now())
    private var forgivenAt = MonotonicTime.now()
    private var isInputOpen = true
    private var lastReason = ""

    /// Reads what to start from standard input, starts it, and ends when all of it has ended.
    /// - Parameter executable: coord's own program.
    /// - Returns: whether the workers ended as they should.
    /// - Throws: `HandoverError`, `CoordinatorError`.
    package static func keep(executable: String) throws -> Bool {
        let handover = try Handover.read { Leash.nextByte() }
        let count = handover.workers ?? min(Processors.count, InventoryHost.workersRange.upperBound)
        var keeper = Keeper(workers: try LocalWorkers(executable: executable, handover, count: count))
        let line = "\(greeting)\(count)\n"
        // The coordinator may be gone again, which the leash tells.
        _ = line.withCString { write(STDOUT_FILENO, $0, strlen($0)) }
        return keeper.run()
    }

    private init(workers: LocalWorkers) { self.workers = workers }

    private mutating func run() -> Bool {
        while true {
            listen()
            let now = MonotonicTime.now()
            if let order = leash.timePassed(now: now) { obey(order) }
            lookAfterWorkers(now: now)
            if workers.isEmpty, workers.wanted == 0 || !leash.wantsWorkers { return true }
            if leash.wantsWorkers, workers.cannotStart {
                // The others would be too few, and nobody would know why.
                complain("its workers end one after another: \(workers.spawnFault ?? lastReason)")
                workers.killAll()
                return false
            }
        }
    }

    /// Waits for the coordinator's word, for a moment.
    private mutating func listen() {
        guard isInputOpen else { return MonotonicTime.pause(for: Self.interval) }
        var item = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, Int32(Self.interval / .milliseconds(1))) > 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = read(STDIN_FILENO, &buffer, buffer.count)
        if count > 0 {
            if let order = leash.heard(buffer[..<count], now: MonotonicTime.now()) { obey(order) }
        } else if count == 0 || errno != EINTR {
            isInputOpen = false
            if let order = leash.ended(now: MonotonicTime.now()) { obey(order) }
        }
    }

    private func obey(_ order: KeeperLeash.Order) {
        switch order {
        case .drain: workers.drainAll()
        case .kill: workers.killAll()
        }
    }

    private mutating func lookAfterWorkers(now: Duration) {
        for exit in workers.reap(now: now) {
            if exit.isDone {
                // It was told to leave, by its coordinator or by somebody on this host.
                workers.reduce()
            } else {
                lastReason = exit.reason
            }
        }
        if now - forgivenAt > Self.memory {
            forgivenAt = now
            workers.forgive()
        }
        if leash.wantsWorkers { workers.fill(now: now) }
    }

    private func complain(_ text: String) {
        _ = "coord: \(text)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
}
