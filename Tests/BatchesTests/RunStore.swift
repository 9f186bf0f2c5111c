import Sharding

/// What a run's processes, and an application, do to the ledger and the table. Each method is one transaction.
///
/// What the simulation proves of the state machines holds only if its database does what PostgreSQL does.
protocol RunStore: AnyObject {
    // MARK: - By a coordinator

    /// - Returns: the coordinator's term; nil while another coordinator owns the run, and when the run is over.
    func takeOver(_ coordinator: WorkerID) throws -> Int64?
    /// The coordinator's session ends, and its ownership runs out.
    func loseOwner() throws
    func renew(_ hold: RunHold) throws -> Bool
    func release(_ hold: RunHold, cancelling: Bool) throws
    func lease(_ shard: ShardID, to worker: WorkerID, after epoch: Epoch, _ hold: RunHold) throws -> RunLease?
    func recordAttempt(_ held: RunLease, permanent: Bool, attempts: Int, _ hold: RunHold) throws -> AttemptAnswer?
    /// - Returns: the numbers of open, done and failed shards; nil when this coordinator does not own the run any more.
    func conclude(_ hold: RunHold) throws -> [Int]?

    // MARK: - By a worker

    func open(_ held: RunLease) throws -> Position?
    /// Applies a batch of a `set` job.
    /// - Returns: nil when the fence refused the batch.
    func apply(_ held: RunLease, at position: Position, rows: Int) throws -> BatchAnswer?
    /// Reads a batch of a `compute` job: the next rows, or only the deferred rows.
    /// - Returns: the keys, in their order.
    func read(_ held: RunLease, at position: Position, rows: Int, deferred: Bool) throws -> [Int]
    /// Computes and writes the rows of the last read.
    func write(_ held: RunLease, at position: Position) throws -> BatchAnswer?

    /// A worker process dies and loses its memory of the stretch.
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

/// Everything that a run leaves behind.
struct RunSnapshot: Sendable, Equatable {
    struct Shard: Sendable, Equatable {
        var record: ShardRecord
        var cursor: Cursor
        /// A set, since the ledger keeps the keys in no order.
        var deferred: Set<Key>
    }

    struct Row: Sendable, Equatable {
        var key: Int
        /// The number of the application's changes in the value; `applied` is the number of the batches' changes.
        var outside: Int
        var applied: Int
    }

    var state: String
    var term: Int64
    var shards: [Shard]
    var rows: [Row]
}

extension Position {
    /// The same position with its deferred keys, which are numbers here, sorted: the ledger keeps them in no order.
    var inOrder: Position {
        var position = self
        position.deferred.sort { Int($0.description) ?? 0 < Int($1.description) ?? 0 }
        return position
    }
}
