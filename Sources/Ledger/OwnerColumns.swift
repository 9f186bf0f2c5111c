/// The columns about a run's coordinator, from the run's row and the server's sessions.
struct OwnerColumns {
    /// Whether the coordinator of `r` is alive: its ownership has not run out and its session exists. A session that
    /// this role may not see counts as existing.
    static let isAlive = """
        COALESCE(r.coordinator IS NOT NULL AND r.lease_until OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp() AND EXISTS (
            SELECT FROM pg_catalog.pg_stat_activity AS a WHERE a.pid OPERATOR(pg_catalog.=) r.backend_pid
                AND COALESCE(a.backend_start, r.backend_start) OPERATOR(pg_catalog.=) r.backend_start), false)
        """

    /// The list for a statement about a run `r`.
    static let list = "\(isAlive) AS is_owned, r.coordinator_host, r.coordinator_pid"

    private let isOwned: LedgerColumn<Bool>
    private let host: LedgerColumn<String>
    private let pid: LedgerColumn<Int32>

    init(_ columns: LedgerColumns) throws(LedgerError) {
        isOwned = try columns("is_owned")
        host = try columns("coordinator_host")
        pid = try columns("coordinator_pid")
    }

    /// Host and pid of the coordinator; nil while none is alive.
    func owner(_ row: LedgerRow) throws(LedgerError) -> String? {
        guard try row[isOwned] else { return nil }
        return "\(try row[host]) pid \(try row[pid])"
    }
}
