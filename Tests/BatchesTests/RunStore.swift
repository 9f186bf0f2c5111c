import Sharding

/// What the processes of a run, and the application beside it, do to its ledger and its table: each method is one transaction.
///
/// The simulation proves what it proves of the state machines only where its database does what PostgreSQL does.
protocol RunStore: AnyObject {
    // MARK: - By a coordinator

    /// - Returns: its term, or nil while another owns the run and when the run is over.
    func takeOver(_ coordinator: WorkerID) throws -> Int64?
    /// The coordinator's session is gone, and its time is over.
    func loseOwner() throws
    func renew(_ hold: RunHold) throws -> Bool
    func release(_ hold: RunHold, cancelling: Bool) throws
    func lease(_ shard: ShardID, to worker: WorkerID, after epoch: Epoch, _ hold: RunHold) throws -> RunLease?
    func recordAttempt(_ held: RunLease, permanent: Bool, attempts: Int, _ hold: RunHold) throws -> AttemptAnswer?
    /// - Returns: numbers of the shards that are open, done and failed; nil when the run is not this coordinator's.
    func conclude(_ hold: RunHold) throws -> [Int]?

    // MARK: - By a worker

    func open(_ held: RunLease) throws -> Position?
    /// A batch of a `set` job.
    /// - Returns: nil where the fence refused it.
    func apply(_ held: RunLease, at position: Position, rows: Int) throws -> BatchAnswer?
    /// Reads a batch of a `compute` job: the next rows, or the deferred ones alone.
    /// - Returns: the keys, in their order.
    func read(_ held: RunLease, at position: Position, rows: Int, deferred: Bool) throws -> [Int]
    /// Computes and writes what was read last.
    func write(_ held: RunLease, at position: Position) throws -> BatchAnswer?

    /// A worker process dies, and with it what it knew of its stretch.
    func restart(_ worker: WorkerID) throws

    // MARK: - By the application

    func change(_ key: Int) throws
    func insert(_ key: Int) throws
    func delete(_ key: Int) throws

    func snapshot() throws -> RunSnapshot
}

struct RunHold: Sendable, Equatable {
    var coordinator: WorkerID
    var term: Int64
}

struct RunLease: Sendable, Equatable {
    var lease: Lease
    var worker: WorkerID
    var sequence: Int64
}

struct AttemptAnswer: Sendable, Equatable {
    var state: ShardState
    var failures: Int
}

struct BatchAnswer: Sendable, Equatable {
    var position: Position
    var isDone: Bool
}

/// All that a run has left behind.
struct RunSnapshot: Sendable, Equatable {
    struct Shard: Sendable, Equatable {
        var record: ShardRecord
        var cursor: Cursor
        /// In no order.
        var deferred: Set<Key>
    }

    struct Row: Sendable, Equatable {
        var key: Int
        /// Changes of the application and of batches.
        var outside: Int
        var applied: Int
    }

    var state: String
    var term: Int64
    var shards: [Shard]
    var rows: [Row]
}

extension Position {
    /// With the deferred keys, which are numbers, in their order: the ledger has them in none.
    var inOrder: Position {
        var position = self
        position.deferred.sort { Int($0.description) ?? 0 < Int($1.description) ?? 0 }
        return position
    }
}
