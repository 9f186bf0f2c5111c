import Batches
import Job
import Ledger
import Postgres

/// Looks for numbers that a program's JSON reader may change: most languages read numbers as doubles, which hold 15
/// digits.
struct LongNumbers {
    let job: Job
    let target: Target

    /// The number of rows to look at from either end of the key.
    private static let sample = 1000

    func warnings(_ connection: PostgresConnection) throws -> [String] {
        guard case .compute(let compute) = job.change, case .command = compute.program,
            compute.numbers == .json, case .compute(let read, _) = target.change
        else { return [] }
        var found: [String] = []
        // int8, numeric
        for column in target.key.columns + read where [20, 1700].contains(column.value.base) {
            if try isLong(column, connection), !found.contains(column.quoted) { found.append(column.quoted) }
        }
        guard !found.isEmpty else { return [] }
        return [
            "\(found.joined(separator: ", ")): there are numbers of more digits than a double holds (15); the program must read "
                + "them as Decimal or BigInt, or the job say compute: numbers: strings"
        ]
    }

    private func isLong(_ column: Target.Column, _ connection: PostgresConnection) throws -> Bool {
        let name = "\(target.alias).\(column.quoted)"
        func ends(descending: Bool) -> String {
            let order = target.key.order(of: target.alias, descending: descending)
            return "(SELECT \(name) AS v FROM ONLY \(target.table) ORDER BY \(order) LIMIT \(Self.sample))"
        }
        return try connection.execute(
            """
            SELECT max(length(trim('0' FROM translate(v::text, '-.', '')))) > 15
            FROM (\(ends(descending: false)) UNION ALL \(ends(descending: true))) AS sample
            """
        ).bool(0, 0) ?? false
    }
}
