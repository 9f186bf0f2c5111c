import Sharding

/// The two ends of a shard's range. Either may be open.
struct RangeColumns {
    static let list = "after_key, through_key"

    private let after: LedgerColumn<Key>
    private let through: LedgerColumn<Key>

    init(_ columns: LedgerColumns) throws(LedgerError) {
        after = try columns("after_key")
        through = try columns("through_key")
    }

    func range(_ row: LedgerRow) throws(LedgerError) -> KeyRange {
        KeyRange(after: try row.optional(after), through: try row.optional(through))
    }
}

/// A shard's position. Only this type knows its columns and their forms.
struct PositionColumns {
    static let list = "\(CursorColumns.list), deferred, sequence, rows_done"

    private let cursor: CursorColumns
    private let deferred: LedgerColumn<[String]>
    private let sequence: LedgerColumn<Int64>
    private let rowsDone: LedgerColumn<Int64>

    init(_ columns: LedgerColumns) throws(LedgerError) {
        cursor = try CursorColumns(columns)
        deferred = try columns("deferred")
        sequence = try columns("sequence")
        rowsDone = try columns("rows_done")
    }

    /// - Parameter keyColumns: the number of columns of the run's key.
    func position(_ row: LedgerRow, keyColumns: Int) throws(LedgerError) -> Position {
        Position(
            try cursor.cursor(row),
            deferred: try row[deferred].map { Key(listed: $0, columns: keyColumns) },
            sequence: try row[sequence], rowsDone: try row[rowsDone])
    }
}

/// The done part of a shard's range.
struct CursorColumns {
    static let list = "checkpoint, stretch_end, stripe, stripe_key"

    private let checkpoint: LedgerColumn<Key>
    private let stretchEnd: LedgerColumn<Key>
    private let stripe: LedgerColumn<Int>
    private let stripeKey: LedgerColumn<Key>

    init(_ columns: LedgerColumns) throws(LedgerError) {
        checkpoint = try columns("checkpoint")
        stretchEnd = try columns("stretch_end")
        stripe = try columns("stripe")
        stripeKey = try columns("stripe_key")
    }

    func cursor(_ row: LedgerRow) throws(LedgerError) -> Cursor {
        let passed = try row.optional(checkpoint)
        let (end, last) = (try row.optional(stretchEnd), try row.optional(stripeKey))
        // By a constraint of the table, both are null or neither is.
        guard let number = try row.optional(stripe), let end else { return Cursor(passed) }
        return Cursor(passed, stretch: Cursor.Stretch(end: end, stripe: number, last: last))
    }
}

/// The columns of a shard for the coordinator and for people.
struct ShardColumns {
    static let list = """
        id, state, epoch, owner, failures, sequence, rows_done, rows_estimated, error, \(RangeColumns.list),
            \(CursorColumns.list)
        """

    private let id: LedgerColumn<ShardID>
    private let state: LedgerColumn<ShardState>
    private let epoch: LedgerColumn<Epoch>
    private let owner: LedgerColumn<WorkerID>
    private let failures: LedgerColumn<Int>
    private let sequence: LedgerColumn<Int64>
    private let rowsDone: LedgerColumn<Int64>
    private let rowsEstimated: LedgerColumn<Int64>
    private let error: LedgerColumn<String>
    private let range: RangeColumns
    private let cursor: CursorColumns

    init(_ columns: LedgerColumns) throws(LedgerError) {
        id = try columns("id")
        state = try columns("state")
        epoch = try columns("epoch")
        owner = try columns("owner")
        failures = try columns("failures")
        sequence = try columns("sequence")
        rowsDone = try columns("rows_done")
        rowsEstimated = try columns("rows_estimated")
        error = try columns("error")
        range = try RangeColumns(columns)
        cursor = try CursorColumns(columns)
    }

    func record(_ row: LedgerRow) throws(LedgerError) -> ShardRecord {
        ShardRecord(
            id: try row[id], state: try row[state], epoch: try row[epoch], owner: try row.optional(owner),
            failures: try row[failures], sequence: try row[sequence], rowsDone: try row[rowsDone],
            rowsEstimated: try row[rowsEstimated], error: try row.optional(error))
    }

    func detail(_ row: LedgerRow) throws(LedgerError) -> ShardDetail {
        ShardDetail(record: try record(row), range: try range.range(row), cursor: try cursor.cursor(row))
    }
}
