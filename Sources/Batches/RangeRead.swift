import CoordKit
import Postgres
import Sharding

/// The reads of a batch that a program computes.
package struct RangeRead: Sendable {
    package let statements: BatchStatements
    package init(_ statements: BatchStatements) { self.statements = statements }

    /// A prepared statement and its parameters.
    package struct Request: Sendable {
        package var name: String
        package var parameters: PostgresParameters
    }

    /// The next rows of a range.
    ///
    /// - Parameters:
    ///   - cursor: where the shard stands, with no stretch under way.
    ///   - window: the number of keys that the read may look at, if the job has a predicate.
    package func range(
        _ range: KeyRange, behind cursor: Cursor, limit: Int, window: Int, _ connection: PostgresConnection
    ) throws(PostgresError) -> Request {
        let lower = cursor.checkpoint ?? range.after
        let upper = range.through
        var parameters = PostgresParameters()
        if let lower { key.append(lower, to: &parameters) }
        if let upper { key.append(upper, to: &parameters) }
        parameters.append(limit)
        if windowColumns > 0 { parameters.append(window - 1) }
        let name = "coord_read_\(lower == nil ? 0 : 1)\(upper == nil ? 0 : 1)"
        try connection.prepare(name, statements.read(hasLower: lower != nil, hasUpper: upper != nil))
        return Request(name: name, parameters: parameters)
    }

    private var key: KeySchema { statements.target.key }

    /// The number of a row's first columns that hold the window's last key: 0 without a predicate.
    package var windowColumns: Int { statements.target.predicate == nil ? 0 : key.count }

    /// The rows of a part of a stretch.
    package func part(_ part: Stretch.Part, _ connection: PostgresConnection) throws -> Request {
        let name = "coord_deferred_0"
        try connection.prepare(name, statements.readDeferred(locking: false))
        var parameters = PostgresParameters()
        try key.appendArrays(part.keys, part.rows, to: &parameters)
        return Request(name: name, parameters: parameters)
    }

    /// The deferred rows again.
    package func deferred(_ keys: [Key], locking: Bool, _ connection: PostgresConnection) throws -> Request {
        let name = "coord_deferred_\(locking ? 1 : 0)"
        try connection.prepare(name, statements.readDeferred(locking: locking))
        return Request(name: name, parameters: try HeldRows.parameters(keys, statements.target))
    }
}
