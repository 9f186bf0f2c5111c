import Sharding

/// The ledger and the table of one run. It is a value, so that a failover which loses commits can restore an older
/// copy.
///
/// Each method is one transaction and mirrors the call of the same name on a role of the ledger, or a batch's
/// statement.
struct SimulatedDatabase {
    /// The content of a row: the number of changes by the application and by batches that it contains.
    struct Value: Equatable {
        var outside = 0
        var applied = 0
    }

    struct Row {
        let key: Int
        /// Whether the row existed when the run began.
        let isInScope: Bool
        /// The transaction that wrote this version: `xmin`.
        var version: Int
        var value = Value()
        /// The changes that were committed, whatever the value says.
        var truth = Value()
    }

    struct Shard {
        let id: ShardID
        let after: Int?
        let through: Int?
        var state: ShardState = .pending
        var epoch = Epoch(0)
        var owner: WorkerID?
        var sequence: Int64 = 0
        var leaseSequence: Int64 = 0
        var cursor = SimulatedCursor()
        var deferred: [Int] = []
        var failures = 0
        var rowsDone: Int64 = 0

        var position: Position {
            Position(
                cursor.cursor, deferred: deferred.map { Key(String($0)) },
                sequence: sequence, rowsDone: rowsDone)
        }

        var record: ShardRecord {
            ShardRecord(
                id: id, state: state, epoch: epoch, owner: owner, failures: failures, sequence: sequence,
                rowsDone: rowsDone)
        }
    }

    enum RunState: Equatable { case planned, running, paused, complete, partial, failed, cancelled }

    struct Run {
        var state: RunState = .planned
        var term = 0
        var coordinator: WorkerID?
        var ownedUntil: Duration = .zero
    }

    var run = Run()
    var shards: [Shard]
    /// The rows, in the key's order.
    var rows: [Row]
    /// The session that has locked a row, by the row's key.
    var locks: [Int: Int] = [:]
    var transaction = 1
    /// The number of row versions that batches have written.
    var writes: Int64 = 0
    let mechanisms: SafetyMechanisms
    let audit: Audit
    /// Nil for a run in key order.
    let comb: SimulatedComb?

    /// How long an ownership lasts without a renewal: a shorter `CoordinatorLedger.ownershipSeconds`.
    static let ownership: Duration = .seconds(6)

    init(
        rows count: Int, shards shardCount: Int, comb: SimulatedComb? = nil, mechanisms: SafetyMechanisms,
        audit: Audit, using random: inout SeededGenerator
    ) {
        self.comb = comb
        self.mechanisms = mechanisms
        self.audit = audit
        var key = 0
        rows = (0..<count).map { _ in
            // Keys have gaps, some of them wide.
            key += random.next() % 20 == 0 ? 1000 : 1 + Int(random.next() % 4)
            return Row(key: key, isInScope: true, version: 1)
        }
        let sample = rows.map { Key(String($0.key)) }
        let plan = ShardPlan.quantiles(of: sample, count: shardCount, rows: Int64(rows.count))
        shards = plan.parts.enumerated().map { index, part in
            Shard(
                id: ShardID(Int32(index)), after: part.range.after.flatMap { Int($0.description) },
                through: part.range.through.flatMap { Int($0.description) })
        }
    }

    /// The index of the first row behind `key`.
    func index(behind key: Int?) -> Int {
        guard let key else { return 0 }
        var (low, high) = (0, rows.count)
        while low < high {
            let middle = (low + high) / 2
            if rows[middle].key <= key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func index(of key: Int) -> Int? {
        let index = index(behind: key) - 1
        return index >= 0 && rows[index].key == key ? index : nil
    }

    // MARK: - The outside application

    /// Changes a row, unless a session has locked it.
    mutating func changeFromOutside(_ key: Int) {
        guard let index = index(of: key), locks[key] == nil else { return }
        transaction += 1
        rows[index].version = transaction
        rows[index].value.outside += 1
        rows[index].truth.outside += 1
        audit.count(.outsideChange)
    }

    mutating func insertFromOutside(_ key: Int) {
        guard index(of: key) == nil else { return }
        transaction += 1
        rows.insert(Row(key: key, isInScope: false, version: transaction), at: index(behind: key))
        audit.count(.outsideInsert)
    }

    mutating func deleteFromOutside(_ key: Int) {
        guard let index = index(of: key), locks[key] == nil else { return }
        rows.remove(at: index)
        audit.count(.outsideDelete)
    }
}
