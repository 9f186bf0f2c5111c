import Postgres
import Support

extension TestSession {
    /// Runs statements one after another, and returns the rows of the last one.
    @discardableResult
    func execute(_ statements: String...) throws -> [[String?]] { try execute(all: statements) }

    @discardableResult
    func execute(all statements: [String]) throws -> [[String?]] {
        try with { connection in
            var rows: [[String?]] = []
            for statement in statements {
                let result = try connection.execute(statement)
                rows = (0..<result.rows).map { row in (0..<result.columns).map { result.text(row, $0) } }
            }
            return rows
        }
    }

    /// The first value of the first row.
    func text(_ query: String) throws -> String? { try execute(query).first?.first ?? nil }

    func int(_ query: String) throws -> Int {
        guard let text = try text(query), let number = Int(text) else { throw NotANumber(query: query) }
        return number
    }

    func bool(_ query: String) throws -> Bool { try text(query) == "t" }

    struct NotANumber: Error { var query: String }
}
