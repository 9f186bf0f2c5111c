import Host

/// Checks that this process can have what its workers need, before anything is started or written.
public enum CoordinatorLimits {
    /// The descriptors of a coordinator without workers. Each local worker needs three more: its end of the leash, its
    /// exit descriptor, its connection.
    static let descriptors = 19
    static let descriptorsPerWorker = 3
    /// Descriptors that stay free beside these, for a new connection to the database, files that are read for a moment,
    /// and the like.
    static let descriptorReserve = 32
    /// The descriptors for each host on which this coordinator starts workers: both ends of what goes through ssh.
    static let descriptorsPerHost = 2
    /// The number of foreign connections for which a listening coordinator must have room.
    static let otherConnections = 16
    /// The threads of a coordinator: the main one, the ledger's, the socket loop's, two of libzmq, one of Swift's pool.
    static let threads = 6
    /// The least number of a worker's threads. A worker has a thread for batches instead of one for the ledger.
    static let threadsPerWorker = 6

    /// Raises this process's limits as far as they go.
    /// - Parameters:
    ///   - workers: the number of local workers.
    ///   - listens: whether foreign workers may join.
    ///   - programs: whether each local worker also starts a program.
    ///   - remote: the hosts on which this coordinator starts workers, and how many workers these have together.
    /// - Throws: `CoordinatorError.limit` when the raised limits are still too low.
    public static func check(
        workers: Int, listens: Bool, programs: Bool, remote: (hosts: Int, workers: Int) = (0, 0)
    ) throws(CoordinatorError) {
        try checkDescriptors(
            workers: workers, listens: listens, remote: remote, limit: ProcessLimits.raiseDescriptors())
        guard let limit = ProcessLimits.raiseThreads() else { return }
        try checkThreads(workers: workers, programs: programs, limit: limit, used: ProcessLimits.threadsOfUser)
    }

    /// The first descriptor that no foreign connection may have. Behind it are the reserve and a place for the
    /// connection of each local worker. The kernel gives out the lowest free number.
    static func bound(workers: Int) -> Int32 {
        Int32(clamping: ProcessLimits.raiseDescriptors() - descriptorReserve - workers)
    }

    static func checkDescriptors(
        workers: Int, listens: Bool, remote: (hosts: Int, workers: Int) = (0, 0), limit: Int
    ) throws(CoordinatorError) {
        let others = listens ? max(otherConnections, remote.workers) : 0
        let base = descriptors + descriptorReserve + others + remote.hosts * descriptorsPerHost
        let each = descriptorsPerWorker + (listens ? 1 : 0)
        let needed = base + workers * each
        guard needed > limit else { return }
        let fitting = max(0, (limit - base) / each)
        throw .limit(
            "\(workers) workers need \(needed) open files in the coordinator, and it may have \(limit)",
            mend: fitting > 0
                ? "ulimit -n \(needed)   raises the limit, or --workers \(fitting)"
                : "ulimit -n \(needed)   raises the limit")
    }

    static func checkThreads(workers: Int, programs: Bool, limit: Int, used: Int) throws(CoordinatorError) {
        let each = threadsPerWorker + (programs ? 1 : 0)
        let needed = threads + workers * each
        guard used + needed > limit else { return }
        let fitting = max(0, (limit - used - threads) / each)
        throw .limit(
            "\(workers) workers need \(needed) threads, and this user has \(used) of at most \(limit) already",
            mend: fitting > 0
                ? "ulimit -u \(used + needed)   raises the limit, or --workers \(fitting)"
                : "ulimit -u \(used + needed)   raises the limit")
    }
}
