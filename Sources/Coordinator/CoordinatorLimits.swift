import Host

/// Whether this process can have what its workers need, asked before anything is started or written.
public enum CoordinatorLimits {
    /// Descriptors of a coordinator without workers, and for each local worker: the end of its leash, its exit, its
    /// connection.
    static let descriptors = 19
    static let descriptorsPerWorker = 3
    /// Kept free beside them: for a new connection to the database, files that are read for a moment, and the like.
    static let descriptorReserve = 32
    /// Connections from elsewhere that there must be room for, where it listens for them.
    static let otherConnections = 16
    /// Threads of a coordinator: its own, the ledger's, the socket loop's, libzmq's two, one of Swift's pool.
    static let threads = 6
    /// Threads of a worker, which has the batches' in place of the ledger's, at the least.
    static let threadsPerWorker = 6

    /// Raises this process's limits as far as they go.
    /// - Parameters:
    ///   - workers: local ones that are wanted.
    ///   - listens: whether others may join.
    ///   - programs: whether each of them starts a program too.
    /// - Throws: `CoordinatorError.limit` when even then they cannot all be there.
    public static func check(workers: Int, listens: Bool, programs: Bool) throws(CoordinatorError) {
        try checkDescriptors(workers: workers, listens: listens, limit: ProcessLimits.raiseDescriptors())
        guard let limit = ProcessLimits.raiseThreads() else { return }
        try checkThreads(workers: workers, programs: programs, limit: limit, used: ProcessLimits.threadsOfUser)
    }

    /// The first descriptor that no connection of strangers may have: behind it is the reserve, and a place for the
    /// connection of each local worker. The kernel gives the lowest that is free.
    static func bound(workers: Int) -> Int32 {
        Int32(clamping: ProcessLimits.raiseDescriptors() - descriptorReserve - workers)
    }

    static func checkDescriptors(workers: Int, listens: Bool, limit: Int) throws(CoordinatorError) {
        let base = descriptors + descriptorReserve + (listens ? otherConnections : 0)
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
