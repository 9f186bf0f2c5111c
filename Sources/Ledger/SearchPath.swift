public import Postgres

/// The search path of a session's statements.
///
/// A role that may create functions in a schema of the path can make one that fits a call better than PostgreSQL's own,
/// and that then runs with the caller's rights. So coord's own statements use `pg_catalog` alone. Only a job's names
/// and expressions use the role's path, or the path that the run keeps.
public enum SearchPath {
    /// The path of coord's own statements. `pg_temp` stands last, so that no temporary table hides a catalogue.
    public static let pinned = "pg_catalog, pg_temp"

    /// The session setting that keeps the role's own path.
    static let own = "coord.search_path"

    /// The first statements of a session: they keep the role's own path and set the pinned one. All names in them are
    /// qualified, and they use no operator.
    public static let setup = [
        "SELECT pg_catalog.set_config('\(own)', pg_catalog.current_setting('search_path'), false)",
        "SELECT pg_catalog.set_config('search_path', '\(pinned)', false)",
    ]
}

extension PostgresConnection {
    /// Pins the path in a session without this set-up.
    /// - Returns: the role's own path.
    @discardableResult
    public func pinSearchPath() throws -> String {
        let own = try ownSearchPath()
        for statement in SearchPath.setup { try execute(script: statement) }
        try run(Setting(name: SearchPath.own, value: own), in: "")
        return own
    }

    /// The role's own path: the session's path before it was pinned, or the present path of a session without a pinned
    /// one.
    public func ownSearchPath() throws -> String {
        let paths = try only(Paths(), in: "")
        return paths.own ?? paths.present
    }

    /// Runs `body` under the search path `path`, and sets the path back, also after an error.
    ///
    /// - Parameter path: in the form of `current_setting('search_path')`; nil for the session's path.
    public func withSearchPath<R>(_ path: String?, _ body: () throws -> R) throws -> R {
        guard let path else { return try body() }
        let before = try only(Paths(), in: "").present
        try run(Setting(name: "search_path", value: path), in: "")
        let result: R
        do {
            result = try body()
        } catch {
            // This fails on a broken connection, which has no path left to set back, and in a failed transaction, whose
            // rollback sets it back.
            _ = try? run(Setting(name: "search_path", value: before), in: "")
            throw error
        }
        try run(Setting(name: "search_path", value: before), in: "")
        return result
    }
}

/// The session's paths.
private struct Paths: LedgerQuery {
    static let name = "coord_search_paths"

    static func sql(_: String) -> String {
        """
        SELECT pg_catalog.current_setting('\(SearchPath.own)', true) AS own, pg_catalog.current_setting('search_path') AS present
        """
    }

    func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> (own: String?, present: String) {
        let own: LedgerColumn<String> = try columns("own")
        let present: LedgerColumn<String> = try columns("present")
        return { row in (try row.optional(own), try row[present]) }
    }
}

private struct Setting: LedgerStatement {
    static let name = "coord_set"
    static func sql(_: String) -> String { "SELECT pg_catalog.set_config($1, $2, false)" }

    var name: String
    var value: String
    var parameters: PostgresParameters { PostgresParameters([name, value]) }
}
