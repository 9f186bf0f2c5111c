import Postgres

/// The planner settings that a session for batches needs, so that its statements use the key's index.
///
/// They hold for every query of the session, also for foreign queries: subqueries in the job's `where`, and queries
/// inside functions and triggers. Joins of those may become a thousand times slower. If a job can have such queries,
/// only the settings are switched that the statements' plans need. The plans are looked at for that.
package enum PlanSwitches {
    /// The sets of settings, the mildest first.
    private static let ladder: [[String]] = [[], ["SET enable_seqscan = off"], PostgresSession.byIndex]

    /// Sets the session up, and returns the settings for the next session.
    package static func choose(
        _ statements: BatchStatements, byBytes: Bool, comb: Comb? = nil, _ connection: PostgresConnection
    ) throws -> [String] {
        let target = statements.target
        guard target.runsForeignQueries || target.hasUpdateTriggers else {
            try connection.execute(script: PostgresSession.byIndex.joined(separator: "; "))
            return PostgresSession.byIndex
        }
        let main = main(statements, byBytes: byBytes, comb)
        for (index, step) in ladder.enumerated() {
            for statement in step { try connection.execute(statement) }
            if index == ladder.count - 1 { return step }
            // Each try has its own statement name, since a prepared statement keeps its first plan.
            let lines = try main.enumerated().flatMap {
                try explain("coord_switches_\(index)_\($0)", $1, connection)
            }
            if !lines.contains(where: { scansWhole($0, target) }) { return step }
        }
        return PostgresSession.byIndex
    }

    /// Has the server plan the statements of this worker under the worker's own role. An error that the server finds
    /// here would otherwise fail the first batch of each shard.
    package static func check(
        _ statements: BatchStatements, byBytes: Bool, comb: Comb? = nil, _ connection: PostgresConnection
    ) throws {
        for (index, sql) in main(statements, byBytes: byBytes, comb).enumerated() {
            _ = try explain("coord_check_main_\(index)", sql, connection)
        }
        guard case .compute = statements.target.change else { return }
        try connection.execute("BEGIN")
        try connection.execute(statements.writeSettings)
        _ = try explain("coord_check_write", statements.write(), connection)
        try connection.execute("ROLLBACK")
    }

    private static func main(_ statements: BatchStatements, byBytes: Bool, _ comb: Comb?) -> [String] {
        if let comb {
            let looks = [false, true].map {
                statements.look(comb, hasLower: true, hasUpper: true, ofStripe: $0)
            }
            switch statements.target.change {
            case .set: return looks + [statements.applyKeys()]
            case .compute: return looks + [statements.readDeferred(locking: false)]
            }
        }
        switch statements.target.change {
        case .set: return [statements.apply(hasLower: true, hasUpper: true, byBytes: byBytes)]
        case .compute: return [statements.read(hasLower: true, hasUpper: true)]
        }
    }

    /// The lines of the generic plan. It does not depend on the parameters, which are null here.
    package static func explain(_ name: String, _ sql: String, _ connection: PostgresConnection) throws -> [String] {
        try connection.prepare(name, sql)
        let count = try connection.execute(
            "SELECT pg_catalog.cardinality(parameter_types) FROM pg_catalog.pg_prepared_statements WHERE name = $1",
            [name]
        ).int(0, 0)
        let nulls = Array(repeating: "NULL", count: Int(count ?? 0)).joined(separator: ", ")
        let plan = try connection.execute("EXPLAIN EXECUTE \"\(name)\" (\(nulls))")
        return (0..<plan.rows).compactMap { plan.text($0, 0) }
    }

    private static func scansWhole(_ line: String, _ target: Target) -> Bool {
        ["Seq Scan on ", "Bitmap Heap Scan on "].contains { line.contains($0 + target.alias) }
    }
}
