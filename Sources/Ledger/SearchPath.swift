public import Postgres

/// Where the names in a session's statements are looked up.
///
/// Whoever may create a function in a schema of the path can make one that fits a call better than PostgreSQL's own, and
/// have it run with the rights of whoever calls. So coord's own statements are looked up in `pg_catalog` alone; only a
/// job's names and expressions in the path that the role had, or that the run has kept.
public enum SearchPath {
    /// Of coord's own statements. With `pg_temp` named last, no temporary table stands in for a catalogue.
    public static let pinned = "pg_catalog, pg_temp"

    /// A setting of the session that keeps what the role's own path was.
    static let own = "coord.search_path"

    /// Set-up of a session, before any statement that names something unqualified: the role's own path is kept, and the pinned one set. Every name in them is
    /// qualified, and they use no operator.
    public static let setup = [
        "SELECT pg_catalog.set_config('\(own)', pg_catalog.current_setting('search_path'), false)",
        "SELECT pg_catalog.set_config('search_path', '\(pinned)', false)",
    ]
}

extension PostgresConnection {
    /// Pins the path, for a session that was not set up so.
    /// - Returns: the path that was the role's own.
    @discardableResult
    public func pinSearchPath() throws -> String {
        let own = try ownSearchPath()
        for statement in SearchPath.setup { try execute(script: statement) }
        try run(Setting(name: SearchPath.own, value: own), in: "")
        return own
    }

    /// The path that the session had before it was pinned, which is the role's own; the present one where it never was.
    public func ownSearchPath() throws -> String {
        let paths = try only(Paths(), in: "")
        return paths.own ?? paths.present
    }

    /// Runs `body` with names looked up in `path`, and sets the path back, also after an error.
    ///
    /// - Parameter path: as `current_setting('search_path')` gives it; nil for the session's.
    public func withSearchPath<R>(_ path: String?, _ body: () throws -> R) throws -> R {
        guard let path else { return try body() }
        let before = try only(Paths(), in: "").present
        try run(Setting(name: "search_path", value: path), in: "")
        let result: R
        do {
            result = try body()
        } catch {
            // On a broken connection nothing is left to set back, and a transaction that failed does it by its end.
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
