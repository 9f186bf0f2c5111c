import Batches
import Job
import Ledger
import Postgres

/// Has the server plan the batches' own update without running it. A missing right, a rule or a publication that
/// refuses the plan would also refuse the first batch.
struct StatementCheck {
    let target: Target
    let table: TableName

    private static let name = "coord_statement_check"

    func run(_ connection: PostgresConnection) throws {
        do {
            try explain(connection)
        } catch let error as PostgresError where error.recovery == .permanent || error.recovery == .authorize {
            throw PreflightError(
                error.recovery == .authorize ? .permission : .job, "\(table) cannot be updated: \(error.message)",
                mend: mend(error))
        }
    }

    private func explain(_ connection: PostgresConnection) throws {
        switch target.change {
        case .set(let assignments):
            let values = assignments.map { "\($0.column.quoted) = (\($0.expression)\n)" }.joined(separator: ", ")
            let condition = target.predicate.map { " WHERE (\($0)\n)" } ?? ""
            // Inside a WITH, as in the batches.
            try connection.execute(
                """
                EXPLAIN WITH coord_changed AS (UPDATE ONLY \(target.table) SET \(values)\(condition) RETURNING 1)
                SELECT pg_catalog.count(*) FROM coord_changed
                """)
        case .compute:
            _ = try PlanSwitches.explain(Self.name, BatchStatements(target: target).writeAlone(), connection)
        }
    }

    private func mend(_ error: PostgresError) -> String? {
        // object_not_in_prerequisite_state: the table is published and has no replica identity.
        if error.sqlState == "55000" {
            return error.hint
                ?? "give it a primary key, or: ALTER TABLE \(target.table) REPLICA IDENTITY FULL"
        }
        return error.hint
    }
}
