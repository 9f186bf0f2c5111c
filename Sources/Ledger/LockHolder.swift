import Postgres
public import Sharding

/// A session that holds rows of a run's ledger locked.
public struct LockHolder: Sendable, Equatable, CustomStringConvertible {
    /// Of its server process; nil where none could be found, as of a prepared transaction.
    public var pid: Int32?
    public var user: String?
    public var application: String?
    /// Nil for a Unix socket, or where this role may not see it.
    public var address: String?
    /// As in `pg_stat_activity`; nil where this role may not see it.
    public var state: String?
    /// Seconds since its transaction began, or nil.
    public var seconds: Int64?
    /// Whose rows it holds.
    public var shards: [ShardID]
    /// It holds the run's own row.
    public var holdsRun: Bool
    /// In the text form of the session that asked.
    var backendStart: String?

    public var description: String {
        let who = [
            user.map { "role \($0)" }, application.flatMap { $0.isEmpty ? nil : "application \($0)" },
            "client \(address ?? "local or hidden")", "state \(state ?? "hidden")",
            seconds.map { "in its transaction for \($0) s" },
        ].compactMap { $0 }.joined(separator: ", ")
        let list = shards.prefix(Self.shown).map(\.description).joined(separator: ", ")
        let rest = shards.count > Self.shown ? " and \(shards.count - Self.shown) more" : ""
        let what =
            (holdsRun ? ["the run's row"] : [])
            + (shards.isEmpty ? [] : ["shard\(shards.count == 1 ? "" : "s") \(list)\(rest)"])
        return (pid.map { "pid \($0): \(who)" } ?? "a session that was not found") + ", holds "
            + what.joined(separator: " and ")
    }

    /// Shards that are named in a message.
    private static let shown = 10
}

extension LedgerStore {
    /// Sessions that hold the run's row, or the row of a shard that is leased, so that it cannot be changed now.
    ///
    /// A locked row's `xmax` is its holder's transaction, whose own lock names the session. Where several share the row
    /// it is not, and the session that the worker entered in the shard's row is taken.
    ///
    /// - Parameter seconds: only those whose transaction is older, as far as this role may see that: one that is
    ///   younger than a wait cannot be what was waited for.
    func lockHolders(of run: RunID, since seconds: Int = 0) throws -> [LockHolder] {
        let result = try connection.execute(
            """
            WITH free AS MATERIALIZED (
                SELECT id FROM \(ledger).shard WHERE run_id = $1::bigint AND state = 'running'
                FOR NO KEY UPDATE SKIP LOCKED
            ), free_run AS MATERIALIZED (
                SELECT id FROM \(ledger).run WHERE id = $1::bigint FOR NO KEY UPDATE SKIP LOCKED
            ), held AS (
                SELECT s.id, s.xmax::text AS xid, s.backend_pid, s.backend_start FROM \(ledger).shard AS s
                WHERE s.run_id = $1::bigint AND s.state = 'running' AND s.id NOT IN (SELECT free.id FROM free)
                UNION ALL
                SELECT NULL, r.xmax::text, NULL, NULL FROM \(ledger).run AS r
                WHERE r.id = $1::bigint AND r.id NOT IN (SELECT free_run.id FROM free_run)
            ), holder AS (
                SELECT held.id, COALESCE(
                    (SELECT l.pid FROM pg_locks AS l WHERE l.locktype = 'transactionid' AND l.granted
                        AND l.mode = 'ExclusiveLock' AND l.transactionid::text = held.xid LIMIT 1),
                    (SELECT a.pid FROM pg_stat_activity AS a WHERE a.pid = held.backend_pid
                        AND COALESCE(a.backend_start = held.backend_start, true))) AS pid
                FROM held
            )
            SELECT h.pid, a.usename, a.application_name, COALESCE(a.client_hostname, host(a.client_addr)), a.state,
                floor(extract(epoch FROM clock_timestamp() - a.xact_start))::bigint, a.backend_start,
                array_agg(h.id ORDER BY h.id) FILTER (WHERE h.id IS NOT NULL), bool_or(h.id IS NULL)
            FROM holder AS h LEFT JOIN pg_stat_activity AS a ON a.pid = h.pid
            WHERE h.pid IS DISTINCT FROM pg_backend_pid()
                AND COALESCE(a.xact_start <= clock_timestamp() - make_interval(secs => $2::float8), true)
            GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1
            """, [run.description, "\(seconds)"])
        return (0..<result.rows).map { row in
            LockHolder(
                pid: result.int(row, 0).map { Int32($0) }, user: result.text(row, 1), application: result.text(row, 2),
                address: result.text(row, 3), state: result.text(row, 4), seconds: result.int(row, 5),
                shards: (result.text(row, 7).flatMap { PostgresArray.parse($0) } ?? [])
                    .compactMap { $0.flatMap { Int32($0) } }.map { ShardID($0) },
                holdsRun: result.bool(row, 8) ?? false, backendStart: result.text(row, 6))
        }
    }
}
