public import Postgres
public import Sharding

/// The ledger in one schema of a database, over one connection. It belongs to that connection's thread.
///
/// Every method is one transaction. Methods that change a run's shards carry the coordinator's term and do nothing
/// when another coordinator has taken the run over.
public final class LedgerStore {
    public let connection: PostgresConnection
    public let schema: LedgerSchema
    /// The schema as SQL writes it.
    let ledger: String

    /// - Parameter schema: one for all stores on this connection, since its prepared statements name it.
    public init(_ connection: PostgresConnection, schema: LedgerSchema = .standard) {
        self.connection = connection
        self.schema = schema
        ledger = schema.quoted
    }

    // MARK: - Installation

    /// Every table that the ledger has had since its first version.
    private static let tables = ["attempt", "event", "migration", "run", "shard", "worker"]

    /// The version of the ledger in this schema; 0 when there is none.
    /// - Throws: `LedgerError` with code `foreign` when the schema holds something else; `forbidden`.
    public func installedVersion() throws -> Int {
        // Not by to_regclass, whose answer may come from a cache that is older than the lock that `install` waited for.
        let result = try connection.execute(
            """
            SELECT COALESCE(array_agg(o.name ORDER BY o.name) FILTER (WHERE o.kind = 'r'), '{}'), count(o.name),
                (array_agg(o.name ORDER BY o.name))[1:5]
            FROM pg_namespace AS n CROSS JOIN LATERAL (
                SELECT c.relname::text AS name, c.relkind::text AS kind FROM pg_class AS c
                WHERE c.relnamespace = n.oid AND c.relkind NOT IN ('i', 'I', 't')
                UNION ALL SELECT p.proname::text, 'function' FROM pg_proc AS p WHERE p.pronamespace = n.oid
            ) AS o WHERE n.nspname = $1::name
            """, [schema.name])
        func names(_ column: Int) -> [String] {
            (result.text(0, column).flatMap { PostgresArray.parse($0) } ?? []).compactMap { $0 }
        }
        guard let count = result.int(0, 1), count > 0 else { return 0 }
        guard Set(names(0)).isSuperset(of: Self.tables) else { throw foreign(count, names(2)) }
        do {
            return Int(
                try connection.execute("SELECT COALESCE(max(version), 0) FROM \(ledger).migration").int(0, 0) ?? 0)
        } catch {
            // Another table of that name may have other columns.
            if ["42703", "42883", "22P02"].contains(error.sqlState) { throw foreign(count, names(2)) }
            guard error.recovery == .authorize else { throw error }
            throw LedgerError(
                .forbidden, "this role may not read the ledger: \(error)",
                mend: "let its owner run: GRANT coord's schema and tables to this role", cause: error)
        }
    }

    private func foreign(_ count: Int64, _ names: [String]) -> LedgerError {
        let some = names.joined(separator: ", ") + (count > names.count ? ", …" : "")
        return LedgerError(
            .foreign,
            "the schema \(ledger) of this database is not this program's: it holds \(some), and not the tables of a ledger. "
                + "Nothing was changed",
            mend:
                "give the ledger another: --ledger-schema NAME, or ledger_schema: NAME in the job; or rename that one: "
                + "ALTER SCHEMA \(ledger) RENAME TO …")
    }

    /// Brings the ledger to this build's version. Does nothing where it is there already.
    /// - Returns: whether anything was done.
    @discardableResult
    public func install() throws -> Bool {
        if try installedVersion() == Schema.version { return false }
        do {
            try connection.execute("BEGIN")
            try connection.execute("SELECT pg_advisory_xact_lock(\(Schema.migrationLock(of: schema)))")
            let version = try installedVersion()
            guard version <= Schema.version else {
                try connection.execute("ROLLBACK")
                throw LedgerError(
                    .newer(version: version), "the ledger has version \(version), this coord knows \(Schema.version)",
                    mend: "use the coord that made it, or a newer one")
            }
            let missing = version..<Schema.version
            let migrations = Schema.migrations(in: schema)
            for next in missing {
                try connection.execute(script: migrations[next])
                try connection.execute("INSERT INTO \(ledger).migration (version) VALUES ($1::int)", ["\(next + 1)"])
            }
            try connection.execute("COMMIT")
            return !missing.isEmpty
        } catch let error as PostgresError {
            // The connection may be gone as well; then there is nothing to roll back.
            _ = try? connection.execute("ROLLBACK")
            guard error.recovery == .authorize else { throw error }
            throw LedgerError(
                .forbidden, "this role may not make the ledger: \(error)",
                mend: "let a role that may run: coord ledger install", cause: error)
        }
    }

    /// Fails with the way on unless the ledger is there and of this build's version.
    public func require() throws {
        let version = try installedVersion()
        guard version > 0 else {
            throw try missing()
        }
        guard version <= Schema.version else {
            throw LedgerError(
                .newer(version: version), "the ledger has version \(version), this coord knows \(Schema.version)",
                mend: "use the coord that made it, or a newer one")
        }
        guard version == Schema.version else {
            throw LedgerError(
                .notInstalled, "the ledger has version \(version), this coord needs \(Schema.version)",
                mend: "coord ledger install")
        }
    }

    /// Schemas named of those that hold another ledger.
    private static let othersLimit = 3

    /// Names of other schemas that hold the tables of a ledger, at most three.
    public func others() throws -> [LedgerSchema] {
        let result = try connection.execute(
            """
            SELECT n.nspname FROM pg_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.oid
            WHERE c.relkind = 'r' AND c.relname = ANY ($1::name[]) AND n.nspname <> $2::name
            GROUP BY n.nspname HAVING count(*) = \(Self.tables.count) ORDER BY n.nspname LIMIT \(Self.othersLimit)
            """, ["{\(Self.tables.joined(separator: ","))}", schema.name])
        return (0..<result.rows).compactMap { result.text($0, 0).flatMap { LedgerSchema($0) } }
    }

    private func missing() throws -> LedgerError {
        let others = try others()
        guard others.isEmpty else {
            let names = others.map(\.quoted).joined(separator: ", ")
            return LedgerError(
                .notInstalled, "there is no ledger in the schema \(ledger) of this database, but one in \(names)",
                mend: "name it: --ledger-schema NAME, or COORD_LEDGER_SCHEMA in the environment; to make one in "
                    + "\(ledger): coord ledger install")
        }
        let place = schema == .standard ? "in" : "in the schema \(ledger) of"
        return LedgerError(
            .notInstalled, "there is no ledger \(place) this database: nothing has run here yet",
            mend: "coord start JOB, or coord ledger install")
    }

    /// Removes the ledger with everything in it. Refused while a coordinator owns a run.
    public func drop() throws {
        guard try installedVersion() > 0 else { return }
        let owned = try connection.execute(
            "SELECT id, coordinator_host, coordinator_pid FROM \(ledger).run AS r WHERE \(Self.ownerIsAlive) LIMIT 1")
        if owned.rows > 0 {
            throw LedgerError(
                .owned(by: "\(owned.text(0, 1) ?? "?") pid \(owned.text(0, 2) ?? "?")"),
                "run \(owned.text(0, 0) ?? "?") is at work: the ledger is not dropped",
                mend: "coord cancel \(owned.text(0, 0) ?? "RUN")")
        }
        try connection.execute("DROP SCHEMA \(ledger) CASCADE")
    }

    /// Runs `body` in one transaction, or in the one that is open.
    func transaction<R>(_ body: () throws -> R) throws -> R {
        if connection.isInTransaction { return try body() }
        try connection.execute("BEGIN")
        do {
            let result = try body()
            try connection.execute("COMMIT")
            return result
        } catch {
            // Closing the transaction is all that is left to do, and a broken connection has done it.
            _ = try? connection.execute("ROLLBACK")
            throw error
        }
    }

    /// Whether the coordinator of `r` still is: its lease has not run out and its session is there. The session of
    /// another role may be hidden, and counts as there.
    static let ownerIsAlive = """
        (r.coordinator IS NOT NULL AND r.lease_until OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp() AND EXISTS (
            SELECT FROM pg_catalog.pg_stat_activity AS a WHERE a.pid OPERATOR(pg_catalog.=) r.backend_pid
                AND COALESCE(a.backend_start, r.backend_start) OPERATOR(pg_catalog.=) r.backend_start))
        """
}
