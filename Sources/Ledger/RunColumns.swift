import Sharding

/// A run with its definition, its coordinator and the counts of its shards.
struct RunColumns {
    /// The beginning of a statement about runs `r`; its conditions and its order follow.
    static func select(_ ledger: String) -> String {
        """
        SELECT r.id, \(DefinitionColumns.list), r.state, r.desired, r.rows_estimated, s.rows_done, r.rows_per_second,
            s.pending, s.running, s.done, s.failed, \(OwnerColumns.list),
            extract(epoch FROM r.started_at) AS started_at, extract(epoch FROM r.finished_at) AS finished_at, r.rows_above,
            r.term, r.created_by, \(Desire.pausedBy), \(PaceColumns.list)
        FROM \(ledger).run AS r LEFT JOIN LATERAL (
            SELECT COALESCE(sum(rows_done), 0) AS rows_done, \(ShardCountColumns.counted)
            FROM \(ledger).shard WHERE run_id = r.id) AS s ON true
        """
    }

    private let id: LedgerColumn<RunID>
    private let definition: DefinitionColumns
    private let state: LedgerColumn<RunState>
    private let desired: LedgerColumn<Desire>
    private let rowsEstimated: LedgerColumn<Int64>
    private let rowsDone: LedgerColumn<Int64>
    private let rowsPerSecond: LedgerColumn<Double>
    private let counts: ShardCountColumns
    private let owner: OwnerColumns
    private let startedAt: LedgerColumn<Double>
    private let finishedAt: LedgerColumn<Double>
    private let rowsAbove: LedgerColumn<Int64>
    private let term: LedgerColumn<Int64>
    private let user: LedgerColumn<String>
    private let pausedBy: LedgerColumn<String>
    private let pace: PaceColumns

    init(_ columns: LedgerColumns) throws(LedgerError) {
        id = try columns("id")
        definition = try DefinitionColumns(columns)
        state = try columns("state")
        desired = try columns("desired")
        rowsEstimated = try columns("rows_estimated")
        rowsDone = try columns("rows_done")
        rowsPerSecond = try columns("rows_per_second")
        counts = try ShardCountColumns(columns)
        owner = try OwnerColumns(columns)
        startedAt = try columns("started_at")
        finishedAt = try columns("finished_at")
        rowsAbove = try columns("rows_above")
        term = try columns("term")
        user = try columns("created_by")
        pausedBy = try columns("paused_by")
        pace = try PaceColumns(columns)
    }

    func record(_ row: LedgerRow) throws(LedgerError) -> RunRecord {
        var row = row
        let id = try row[id]
        row.subject = id
        return RunRecord(
            id: id, definition: try definition.definition(row), state: try row[state],
            cancelAsked: try row[desired] == .cancelled, rowsEstimated: try row[rowsEstimated],
            rowsDone: try row[rowsDone], rowsPerSecond: try row[rowsPerSecond], counts: try counts.counts(row),
            coordinator: try owner.owner(row), startedAt: try row.optional(startedAt),
            finishedAt: try row.optional(finishedAt), rowsAbove: try row.optional(rowsAbove), term: try row[term],
            user: try row[user], pausedBy: try row.optional(pausedBy), pace: try pace.pace(row))
    }
}
