import Batches
public import Job
import Ledger
public import Postgres
public import Sharding

/// Checks a job against a database before anything is written, and resolves its names.
public enum Preflight {
    /// The results of the checks.
    public struct Findings: Sendable, Equatable {
        public var target: Target
        /// The table's number of rows, from the statistics or counted.
        public var tableRows: Int64
        /// PostgreSQL's estimate of the rows in the job's `where`.
        public var rowsEstimated: Int64
        /// Average bytes of a row on its page.
        public var rowBytes: Int
        /// The chosen order of the rows.
        public var order: OrderChoice
        /// Warnings for the person who starts the run.
        public var warnings: [String]
    }

    /// The largest table, in bytes, whose rows are counted when there are no statistics.
    static let countLimit: Int64 = 256 << 20

    /// Checks everything that needs the database.
    /// - Throws: `PreflightError` with a mend, or `PostgresError` when the server cannot be asked.
    ///
    /// - Parameters:
    ///   - table: the table of an earlier run that goes on; nil to look up the job's name.
    ///   - searchPath: the search path for the job's names and expressions alone; nil for the session's.
    ///   - ledger: the ledger's schema, whose tables no job may change.
    ///   - writer: whose rights the updates need.
    public static func check(
        _ job: Job, file: String, table: String? = nil, searchPath: String? = nil, ledger: LedgerSchema = .standard,
        writer: WritingRole = .same, _ connection: PostgresConnection
    ) throws -> Findings {
        do {
            return try findings(job, file: file, table: table, searchPath, ledger, writer, connection)
        } catch let error as PostgresError where error.recovery == .authorize {
            throw PreflightError(
                .permission, "this role may not do what the job needs: \(error.message)",
                mend: "grant it, or use another role")
        }
    }

    private static func findings(
        _ job: Job, file: String, table: String?, _ searchPath: String?, _ ledger: LedgerSchema,
        _ writer: WritingRole, _ connection: PostgresConnection
    ) throws -> Findings {
        try requireWritable(connection)
        let catalogue = try Catalogue.read(
            job.table, resolved: table, searchPath: searchPath, ledger: ledger, connection)
        let target = try resolve(job, catalogue, connection)
        let rights = try TableRights(job: job, target: target, catalogue: catalogue, ledger: ledger).check(
            writer, connection)
        let rows = try tableRows(catalogue, connection)
        try rights.writer.withSearchPath(searchPath) {
            try SQLExpressionCheck(job: job, file: file, target: target, plans: rights.mayUpdate).run(rights.writer)
            if rights.mayUpdate { try StatementCheck(target: target, table: job.table).run(rights.writer) }
        }
        let estimated = try connection.withSearchPath(searchPath) { try estimate(target, rows, connection) }
        return Findings(
            target: target, tableRows: rows, rowsEstimated: estimated,
            rowBytes: rows > 0 ? Int(catalogue.bytes / rows) : 0,
            order: try OrderChoice.choose(target, job, rows: rows, estimated: estimated, connection),
            warnings: try warnings(job, target, connection) + [rights.note].compactMap { $0 })
    }

    /// Refuses a database in which this session cannot write.
    private static func requireWritable(_ connection: PostgresConnection) throws {
        guard connection.serverVersion >= 130_000 else {
            throw PreflightError(
                .job, "the server is PostgreSQL \(connection.serverVersion / 10_000): coord needs 13 or later")
        }
        let readOnly = try connection.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")
        if readOnly.bool(0, 0) == true {
            throw PreflightError(
                .job, "the server is a standby: nothing can be written here", mend: "connect to the primary")
        }
        if readOnly.text(0, 1) == "on" {
            throw PreflightError(
                .job, "sessions of this role or database are read-only",
                mend: "SET default_transaction_read_only to off for the role, or use another")
        }
    }

    // MARK: - Names

    private static func resolve(_ job: Job, _ catalogue: Catalogue, _ connection: PostgresConnection) throws -> Target {
        let key = try resolveKey(job, catalogue)
        let change: Target.Change
        switch job.change {
        case .set(let assignments):
            change = .set(
                try assignments.map { assignment in
                    let column = try written(assignment.column, "set", key, job, catalogue)
                    return Target.Assignment(column: column, expression: assignment.expression.sql)
                })
        case .compute(let compute):
            change = .compute(
                read: try compute.read.map { try catalogue.column($0, for: "read", table: job.table).target },
                writes: try compute.writes.map { try written($0, "writes", key, job, catalogue) })
        }
        var bound = catalogue.mentioned(in: change, predicate: job.predicate?.sql).map(\.target)
        let known: [Target.Column] =
            switch change {
            case .set(let assignments): key.columns + assignments.map(\.column)
            case .compute(let read, let writes): key.columns + read + writes
            }
        for column in known where !bound.contains(where: { $0.number == column.number }) { bound.append(column) }
        let hasForeignQueries = try ForeignQueries.stand(in: change, predicate: job.predicate?.sql, connection)
        return Target(
            oid: catalogue.oid, table: catalogue.table, alias: catalogue.alias, key: key,
            predicate: job.predicate?.sql, change: change,
            width: catalogue.width(of: change, predicate: job.predicate?.sql), isToasted: catalogue.isToasted,
            bound: bound,
            runsForeignQueries: hasForeignQueries, hasUpdateTriggers: catalogue.hasUpdateTriggers)
    }

    private static func resolveKey(_ job: Job, _ catalogue: Catalogue) throws -> KeySchema {
        let names = job.key ?? catalogue.primaryKey
        guard !names.isEmpty else { throw noKey(job, catalogue) }
        let list = names.count == 1 ? names[0] : "(\(names.joined(separator: ", ")))"
        guard names.count <= Key.columnLimit else {
            throw PreflightError(
                .job, "the key \(list) has \(names.count) columns: coord takes \(Key.columnLimit) at the most",
                mend: "name other NOT NULL columns that have a unique index: key: COLUMN, or key: [a, b]")
        }
        let columns = try names.map { try catalogue.column($0, for: "key", table: job.table) }
        let quoted = columns.map(\.target.quoted).joined(separator: ", ")
        let same = { (index: [String]) in
            index.count == names.count && index.allSatisfy { names.containsExactly($0) }
        }
        guard catalogue.uniqueKeys.contains(where: { same($0) && zip($0, names).allSatisfy { $0.isExactly($1) } })
        else {
            if let other = catalogue.uniqueKeys.first(where: same) {
                throw PreflightError(
                    .job, "key \(list): its unique index has the columns in another order",
                    mend: "key: [\(other.joined(separator: ", "))]")
            }
            throw PreflightError(
                .job,
                "key \(list): it has no unique index of its own (valid, not partial, not deferrable, in its usual order)",
                mend: "CREATE UNIQUE INDEX CONCURRENTLY ON \(catalogue.table) (\(quoted))")
        }
        return KeySchema(try columns.map { try part($0, catalogue) })
    }

    private static func noKey(_ job: Job, _ catalogue: Catalogue) -> PreflightError {
        if catalogue.hasDeferrableKey {
            return PreflightError(
                .job, "the primary key of \(job.table) is deferrable, so it may hold a key twice for a while",
                mend: "make it NOT DEFERRABLE, or name another unique column: key: COLUMN")
        }
        let unique = catalogue.uniqueKeys.filter { $0.count <= Key.columnLimit }.min {
            ($0.count, $0[0]) < ($1.count, $1[0])
        }
        return PreflightError(
            .job, "\(job.table) has no primary key, so coord cannot tell its rows apart",
            mend: unique.map { columns in
                columns.count == 1
                    ? "name a unique column: key: \(columns[0])"
                    : "name columns that are unique together: key: [\(columns.joined(separator: ", "))]"
            } ?? "add a primary key, or a unique index on a NOT NULL column")
    }

    private static func part(_ column: Catalogue.Column, _ catalogue: Catalogue) throws -> KeySchema.Part {
        let name = column.target.name
        guard column.notNull else {
            throw PreflightError(
                .job, "key \(name): it may be null, and rows with a null key would be skipped",
                mend: "ALTER TABLE \(catalogue.table) ALTER COLUMN \(column.target.quoted) SET NOT NULL")
        }
        let types: [UInt32: KeyType] = [
            21: .smallint, 23: .integer, 20: .bigint, 2950: .uuid, 25: .text, 1043: .varchar,
        ]
        guard let type = types[column.target.value.base] else {
            throw PreflightError(
                .job,
                "key \(name) has the type \(column.target.typeName): coord takes smallint, integer, bigint, "
                    + "uuid, text and varchar")
        }
        return KeySchema.Part(column.target, type, collation: column.collation)
    }

    private static func written(
        _ name: String, _ purpose: String, _ key: KeySchema, _ job: Job, _ catalogue: Catalogue
    ) throws -> Target.Column {
        let column = try catalogue.column(name, for: purpose, table: job.table)
        if key.contains(column.target) {
            let what = key.count == 1 ? "the key" : "part of the key"
            throw PreflightError(
                .job, "\(purpose): \(name) is \(what), and a row whose key moves could be changed twice or never",
                mend: "remove \(name) from \(purpose)")
        }
        if column.generated {
            throw PreflightError(
                .job, "\(purpose): \(name) is a generated column: PostgreSQL computes it from the others",
                mend: "remove \(name) from \(purpose), and set what it is generated from")
        }
        if column.identityAlways {
            throw PreflightError(.job, "\(purpose): \(name) is GENERATED ALWAYS AS IDENTITY and cannot be set")
        }
        return column.target
    }

    // MARK: - Numbers

    private static func tableRows(_ catalogue: Catalogue, _ connection: PostgresConnection) throws -> Int64 {
        if let rows = catalogue.rows { return rows }
        guard catalogue.bytes > countLimit else {
            return try connection.execute("SELECT count(*) FROM ONLY \(catalogue.table)").int(0, 0) ?? 0
        }
        return try explainedRows("SELECT 1 FROM ONLY \(catalogue.table)", connection)
    }

    private static func estimate(_ target: Target, _ rows: Int64, _ connection: PostgresConnection) throws -> Int64 {
        guard let predicate = target.predicate else { return rows }
        return min(
            rows, try explainedRows("SELECT 1 FROM ONLY \(target.table) WHERE (\(predicate)\n)", connection))
    }

    private static func explainedRows(_ query: String, _ connection: PostgresConnection) throws -> Int64 {
        let plan = try connection.execute("EXPLAIN \(query)").text(0, 0) ?? ""
        guard let range = plan.firstRange(of: "rows=") else { return 0 }
        return Int64(plan[range.upperBound...].prefix(while: \.isNumber)) ?? 0
    }

    private static func warnings(_ job: Job, _ target: Target, _ connection: PostgresConnection) throws -> [String] {
        let written: [String] =
            switch target.change {
            case .set(let assignments): assignments.map(\.column.name)
            case .compute(_, let writes): writes.map(\.name)
            }
        var warnings = try LongNumbers(job: job, target: target).warnings(connection)
        let indexes = try connection.execute(
            """
            SELECT DISTINCT c.relname, a.attname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
            JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
            WHERE i.indrelid = $1::oid ORDER BY 1, 2
            """, ["\(target.oid)"])
        for row in 0..<indexes.rows where written.containsExactly(indexes.text(row, 1) ?? "") {
            warnings.append(
                "\(indexes.text(row, 1) ?? "") is in index \(indexes.text(row, 0) ?? ""): no update of it can be HOT")
        }
        let triggers = try connection.execute(
            """
            SELECT tgname FROM pg_trigger
            WHERE tgrelid = $1::oid AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 1 <> 0
                AND tgtype & 16 <> 0 ORDER BY 1
            """, ["\(target.oid)"])
        for row in 0..<triggers.rows {
            warnings.append("trigger \(triggers.text(row, 0) ?? "") fires for every row")
        }
        if try connection.execute("SELECT current_setting('session_replication_role')").text(0, 0) == "replica" {
            warnings.append(
                "session_replication_role is replica for this role: ordinary triggers do not fire, and foreign keys are not "
                    + "checked")
        }
        return warnings
    }
}
