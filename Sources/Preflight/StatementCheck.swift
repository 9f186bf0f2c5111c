import Batches
import Job
import Ledger
import Postgres

/// Has the server plan the very update that the batches make, without running it: what refuses it then, such as a right, a
/// rule, or a publication, would refuse the first batch.
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
            // In a WITH, as the batches have it.
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
        // object_not_in_prerequisite_state: the table is published and has nothing to tell its rows apart by.
        if error.sqlState == "55000" {
            return error.hint
                ?? "give it a primary key, or: ALTER TABLE \(target.table) REPLICA IDENTITY FULL"
        }
        return error.hint
    }
}
