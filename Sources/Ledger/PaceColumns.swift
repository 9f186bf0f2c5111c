import Sharding

/// The limits of a run's pace that hold at the time of the statement.
struct PaceColumns {
    static let list = """
        pace_writers, pace_rows, extract(epoch FROM pace_until) AS pace_until,
            COALESCE(pace_by, 'somebody') AS pace_by, COALESCE(pace_until <= clock_timestamp(), false) AS pace_is_over
        """

    private let writers: LedgerColumn<Int>
    private let rows: LedgerColumn<Int64>
    private let until: LedgerColumn<Double>
    private let by: LedgerColumn<String>
    private let isOver: LedgerColumn<Bool>

    init(_ columns: LedgerColumns) throws(LedgerError) {
        writers = try columns("pace_writers")
        rows = try columns("pace_rows")
        until = try columns("pace_until")
        by = try columns("pace_by")
        isOver = try columns("pace_is_over")
    }

    /// - Returns: nil where nothing is limited.
    func pace(_ row: LedgerRow) throws(LedgerError) -> Pace? {
        guard try !row[isOver] else { return nil }
        let pace = Pace(
            writers: try row.optional(writers), rowsPerSecond: try row.optional(rows), until: try row.optional(until),
            by: try row[by])
        return pace.isEmpty ? nil : pace
    }
}
