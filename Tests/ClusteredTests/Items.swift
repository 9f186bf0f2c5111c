import Support

/// The table that shows whether every row was changed exactly once. Each update adds one to `n`, and writes a row with
/// its transaction into `history`.
struct Items: Sendable {
    let scenario: Scenario
    private var session: TestSession { scenario.session }

    /// The number of the gate's advisory lock.
    private static let gate = 4711

    /// - Parameter pace: extra seconds of each statement that changes rows, so that a run lasts without keeping the
    ///   machine busy.
    static func make(_ scenario: Scenario, rows: Int, pace: Double = 0) async throws -> Items {
        try await scenario.session.execute(
            "CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0)",
            "INSERT INTO items SELECT generate_series(1, \(rows))",
            "ANALYZE items",
            "CREATE TABLE history (id bigint NOT NULL, n int, xid bigint NOT NULL)",
            """
            CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO history SELECT id, n, txid_current() FROM changed;
                PERFORM pg_sleep(\(pace)) WHERE \(pace) > 0;
                PERFORM pg_advisory_xact_lock_shared(\(gate));
                RETURN NULL;
            END $$
            """,
            """
            CREATE TRIGGER remember AFTER UPDATE ON items REFERENCING NEW TABLE AS changed
                FOR EACH STATEMENT EXECUTE FUNCTION remember()
            """)
        return Items(scenario: scenario)
    }

    // MARK: - Jobs

    /// Tries shards again soon and often: a test kills more processes than a usual run loses.
    static let patient = "retry: { attempts: 50, backoff: 10ms, max_backoff: 200ms }\n"
    /// A batch may wait this long at the gate before it gives up and is tried again.
    static let atTheGate = "lock_patience: 30s\n"

    /// - Parameter more: further lines of the job file.
    func setJob(batch: Int = 50, shards: Int = 8, retry: String = patient, more: String = "") throws -> String {
        try scenario.job(
            "table: items\nset: { n: n + 1 }\nbatch: { rows: \(batch) }\nshards: \(shards)\n"
                + Self.atTheGate + retry + more)
    }

    func programJob(
        _ command: String, batch: Int = 50, shards: Int = 8, retry: String = patient, timeout: String = "60s",
        more: String = ""
    ) throws -> String {
        try scenario.job(
            """
            table: items
            read: [n]
            compute: { command: [\(command)], writes: [n], timeout: \(timeout) }
            batch: { rows: \(batch) }
            shards: \(shards)

            """ + Self.atTheGate + retry + more)
    }

    /// Asks for the order stripe by stripe, which coord would not choose for such a small table.
    static let comb = "order: comb\n"

    /// The two kinds of job that add one to `n`.
    enum Kind: String, Sendable, CaseIterable {
        case setBased, rowBased
    }

    func job(_ kind: Kind, batch: Int = 50, shards: Int = 8, more: String = "") throws -> String {
        switch kind {
        case .setBased: return try setJob(batch: batch, shards: shards, more: more)
        case .rowBased:
            try scenario.program("plus_one.py")
            return try programJob("python3, plus_one.py", batch: batch, shards: shards, more: more)
        }
    }

    // MARK: - The gate

    /// From now on every statement that changes rows waits before its transaction can commit, at most for the job's
    /// `lock_patience`.
    func closeGate() async throws -> Gate {
        let holder = scenario.connect()
        try await holder.execute("SELECT pg_advisory_lock(\(Self.gate))")
        return Gate(holder: holder, items: self)
    }

    struct Gate: Sendable {
        fileprivate let holder: TestSession
        fileprivate let items: Items

        /// Waits until this number of statements waits at the gate.
        func reached(by count: Int = 1) async throws {
            try await eventually("\(count) batches wait at the gate") {
                try await items.session.int(
                    """
                    SELECT count(*) FROM pg_locks
                    WHERE locktype = 'advisory' AND objid = \(Items.gate) AND NOT granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    """) >= count
            }
        }

        func open() async { await holder.close() }
    }

    // MARK: - The oracle

    /// The violations in a run that claims to be complete. The list is empty when every row was changed exactly once,
    /// each transaction belongs to one shard, and the ledger agrees.
    func violations(run: Int) async throws -> [String] {
        var found: [String] = []
        func count(_ what: String, _ query: String) async throws {
            let number = try await session.int("SELECT count(*) FROM (\(query)) AS q")
            if number > 0 { found.append("\(number) \(what)") }
        }
        try await count("rows with another n than 1", "SELECT FROM items WHERE n <> 1")
        try await count(
            "rows without exactly one change",
            "SELECT FROM items LEFT JOIN history USING (id) GROUP BY id HAVING count(history.xid) <> 1")
        let shard = """
            coord.shard AS s ON s.run_id = \(run) AND h.id > COALESCE(s.after_key[1]::bigint, h.id - 1)
                AND h.id <= COALESCE(s.through_key[1]::bigint, h.id)
            """
        try await count(
            "transactions across shards",
            "SELECT FROM history AS h JOIN \(shard) GROUP BY h.xid HAVING count(DISTINCT s.id) <> 1")
        // A batch can be empty if a shard's number of rows is a multiple of the batch.
        try await count(
            "shards with fewer checkpoints than transactions",
            """
            SELECT FROM history AS h JOIN \(shard) GROUP BY s.id, s.sequence
            HAVING count(DISTINCT h.xid) > s.sequence
            """)
        try await count(
            "shards that claim another number of rows",
            "SELECT FROM history AS h JOIN \(shard) GROUP BY s.id, s.rows_done HAVING count(*) <> s.rows_done")
        try await count(
            "shards that are not done", "SELECT FROM coord.shard WHERE run_id = \(run) AND state <> 'done'")
        try await count(
            "shards that are done with rows still to be computed again",
            "SELECT FROM coord.shard WHERE run_id = \(run) AND state = 'done' AND deferred <> '{}'")
        try await count(
            "attempts without an end", "SELECT FROM coord.attempt WHERE run_id = \(run) AND ended_at IS NULL")
        try await count(
            "epochs that went back",
            """
            SELECT FROM (SELECT epoch <= lag(epoch) OVER (PARTITION BY shard_id ORDER BY id) AS back
                FROM coord.event WHERE run_id = \(run) AND kind = 'shard_leased') AS e WHERE back
            """)
        try await count(
            "gaps between shards",
            """
            SELECT FROM (SELECT after_key, lag(through_key) OVER (ORDER BY id) AS before, id,
                through_key, max(id) OVER () AS last FROM coord.shard WHERE run_id = \(run)) AS s
            WHERE after_key IS DISTINCT FROM before OR (id = last) <> (through_key IS NOT DISTINCT FROM
                (SELECT end_key FROM coord.run WHERE id = \(run)))
            """)
        if try await scenario.state(of: run) != "complete" { found.append("a run that is not complete") }
        return found
    }
}
