import Postgres
import Sharding

/// A batch that PostgreSQL computes: fence, rows and checkpoint in one statement.
package struct SetBatch: Sendable {
    package let statements: BatchStatements
    /// The bytes that a batch may rewrite; nil if the row limit bounds them too.
    package let bytes: Int?

    package init(_ statements: BatchStatements, bytes: Int? = nil) {
        self.statements = statements
        self.bytes = bytes
    }

    private var key: KeySchema { statements.target.key }

    /// Changes the next rows of a range.
    ///
    /// - Parameter aroundHeld: leave out rows that somebody holds, and defer their keys.
    /// - Returns: nil where the fence refused it.
    package func run(
        _ fence: Fence, _ range: KeyRange, behind cursor: Cursor, rows: Int, aroundHeld: Bool = false,
        _ connection: PostgresConnection
    ) throws -> BatchOutcome? {
        let call = call(fence, range, behind: cursor.checkpoint, rows: rows, aroundHeld: aroundHeld)
        try connection.prepare(call.name, call.sql)
        return try BatchOutcome(ofSet: try connection.executePrepared(call.name, "", call.parameters), key)
    }

    /// Changes the rows of a part of a stretch.
    ///
    /// - Parameter rows: the part's rows to change; nil for all. The cursor moves behind the whole part in any case.
    /// - Returns: nil where the fence refused it.
    package func run(
        _ fence: Fence, _ part: Stretch.Part, rows: Range<Int>? = nil, aroundHeld: Bool = false,
        _ connection: PostgresConnection
    ) throws -> BatchOutcome? {
        var parameters = PostgresParameters()
        fence.append(to: &parameters)
        try key.appendArrays(part.keys, rows ?? part.rows, to: &parameters)
        parameters.append(part.cursor)
        parameters.append(part.exhausted ? "t" : "f")
        let name = "coord_apply_keys_\(aroundHeld ? 1 : 0)"
        try connection.prepare(name, statements.applyKeys(aroundHeld: aroundHeld))
        return try BatchOutcome(ofSet: try connection.executePrepared(name, "", parameters), key)
    }

    /// A statement under the name that it is prepared by, with its parameters.
    struct Call: Sendable {
        var name: String
        var sql: String
        var parameters: PostgresParameters
    }

    /// The call that `run` makes.
    func call(_ fence: Fence, _ range: KeyRange, behind checkpoint: Key?, rows: Int, aroundHeld: Bool = false) -> Call {
        let lower = checkpoint ?? range.after
        let upper = range.through
        var parameters = PostgresParameters()
        fence.append(to: &parameters)
        if let lower { key.append(lower, to: &parameters) }
        if let upper { key.append(upper, to: &parameters) }
        parameters.append(rows - 1)
        if let bytes { parameters.append(bytes) }
        let name =
            "coord_apply_\(lower == nil ? 0 : 1)\(upper == nil ? 0 : 1)\(aroundHeld ? 1 : 0)\(bytes == nil ? 0 : 1)"
        let sql = statements.apply(
            hasLower: lower != nil, hasUpper: upper != nil, byBytes: bytes != nil, aroundHeld: aroundHeld)
        return Call(name: name, sql: sql, parameters: parameters)
    }

    /// Changes deferred rows, which earlier batches have left out. Rows that are still held stay deferred.
    ///
    /// - Parameter exhausted: the range holds nothing behind its checkpoint.
    /// - Returns: nil where the fence refused it.
    package func runDeferred(
        _ keys: [Key], _ fence: Fence, exhausted: Bool, _ connection: PostgresConnection
    ) throws -> BatchOutcome? {
        var parameters = PostgresParameters()
        fence.append(to: &parameters)
        parameters.append(keys)
        parameters.append(exhausted ? "t" : "f")
        let name = "coord_apply_deferred"
        try connection.prepare(name, statements.applyDeferred())
        return try BatchOutcome(ofSet: try connection.executePrepared(name, "", parameters), key)
    }
}
