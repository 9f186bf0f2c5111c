import Batches
import Job
import Ledger
import Postgres

/// Has the server parse the job's SQL without running it, and shows an error at its place in the job file.
struct SQLExpressionCheck {
    let job: Job
    let file: String
    let target: Target
    /// Whether this role may have the updates planned. Otherwise they are only parsed, which needs no rights.
    let plans: Bool

    /// First parses each expression alone, so that no unbalanced one can reach into the statement around it. Then
    /// parses the whole update, which checks types and rights.
    func run(_ connection: PostgresConnection) throws {
        var pieces: [(name: String, expression: Job.Expression)] = []
        if let predicate = job.predicate { pieces.append(("where", predicate)) }
        if case .set(let assignments) = job.change {
            pieces += assignments.map { ("set \($0.column)", $0.expression) }
        }
        for piece in pieces {
            // Once with parentheses and once without: a text that parses both ways is balanced, and cannot break out of
            // parentheses.
            for (opening, closing) in [("(", "\n)"), ("", "\n")] {
                let isCondition = piece.name == "where"
                let prefix = (isCondition ? "SELECT 1 FROM ONLY \(target.table) WHERE " : "SELECT ") + opening
                let suffix = closing + (isCondition ? "" : " FROM ONLY \(target.table)")
                try parse(piece.expression, named: piece.name, prefix, suffix, connection)
            }
        }
        guard case .set(let assignments) = target.change else { return }
        try explain(assignments, connection)
    }

    private func parse(
        _ expression: Job.Expression, named name: String, _ prefix: String, _ suffix: String,
        _ connection: PostgresConnection
    ) throws {
        do {
            let parsed = try connection.describe(prefix + expression.sql + suffix)
            guard parsed.parameters == 0 else {
                throw PreflightError(
                    .job,
                    "\(file):\(expression.line):\(expression.column): \(name): there are no parameters such as $1",
                    mend: "write the value into the expression")
            }
        } catch let error as PostgresError {
            throw located(error, in: expression, name: name, offset: prefix.unicodeScalars.count)
        }
    }

    private func explain(_ assignments: [Target.Assignment], _ connection: PostgresConnection) throws {
        guard case .set(let written) = job.change else { return }
        let condition = target.predicate.map { " WHERE (\($0)\n)" } ?? ""
        for (assignment, piece) in zip(assignments, written) {
            let prefix = (plans ? "EXPLAIN " : "") + "UPDATE ONLY \(target.table) SET \(assignment.column.quoted) = ("
            do {
                let update = prefix + assignment.expression + "\n)" + condition
                if plans { try connection.execute(update) } else { _ = try connection.describe(update) }
            } catch {
                throw located(
                    error, in: piece.expression, name: "set \(piece.column)", offset: prefix.unicodeScalars.count)
            }
        }
    }

    /// Turns the server's position in the statement into line, column and a caret in the job file's expression.
    private func located(_ error: PostgresError, in expression: Job.Expression, name: String, offset: Int) -> any Error
    {
        if error.recovery == .reconnect || error.recovery == .retry { return error }
        let code: PreflightError.Code = error.recovery == .authorize ? .permission : .job
        let scalars = Array(expression.sql.unicodeScalars)
        var place = "\(file):\(expression.line):\(expression.column): \(name): \(error.message)"
        guard let position = error.position, position > offset, position - offset - 1 <= scalars.count else {
            let mends = [error.hint ?? "in: \(expression.sql)", quotes(error, in: expression, name: name)]
            return PreflightError(code, place, mend: mends.compactMap { $0 }.joined(separator: "\n  "))
        }
        let index = position - offset - 1
        let before = scalars[..<min(index, scalars.count)]
        let newline: Unicode.Scalar = "\n"
        let line = before.count { $0 == newline }
        let start = before.lastIndex(of: newline).map { $0 + 1 } ?? 0
        // In a block, later lines have the first line's indentation, which YAML has removed.
        let column = expression.column + index - start
        place = "\(file):\(expression.line + line):\(column): \(name): \(error.message)"
        let end = scalars[start...].firstIndex(of: newline) ?? scalars.count
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars[start..<end])
        let caret = String(repeating: " ", count: index - start) + "^"
        let mends = [String(text), caret, error.hint, quotes(error, in: expression, name: name)]
        return PreflightError(code, place, mend: mends.compactMap { $0 }.joined(separator: "\n  "))
    }

    /// The mend for an expression in YAML's quotes, which SQL does not see: SQL reads such a text as a column or not at
    /// all.
    private func quotes(_ error: PostgresError, in expression: Job.Expression, name: String) -> String? {
        let isPlain = expression.sql.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || $0.properties.numericType != nil || " _.,:-/@".unicodeScalars.contains($0)
        }
        guard expression.isQuoted, isPlain, ["42703", "42601", "42P01"].contains(error.sqlState) else { return nil }
        let key = name == "where" ? name : String(name.dropFirst("set ".count))
        return "the quotes are YAML's, and SQL does not see them; for the text, write \(key): \"'\(expression.sql)'\""
    }
}
