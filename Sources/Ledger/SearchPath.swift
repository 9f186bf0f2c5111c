public import Postgres

extension PostgresConnection {
    /// Runs `body` with names looked up along `path`, and goes back to the session's own path after it; nil for no change.
    public func withSearchPath<R>(_ path: String?, _ body: () throws -> R) throws -> R {
        guard let path else { return try body() }
        let before = try execute("SELECT pg_catalog.current_setting('search_path')").text(0, 0) ?? ""
        try execute("SELECT pg_catalog.set_config('search_path', $1, false)", [path])
        let result: Result<R, any Error> = Result { try body() }
        try execute("SELECT pg_catalog.set_config('search_path', $1, false)", [before])
        return try result.get()
    }
}
