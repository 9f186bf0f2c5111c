import Testing

@Suite struct SearchPathTests {
    /// The role's path leads to a schema where others may create functions. Some of these fit coord's own calls better
    /// than PostgreSQL's functions.
    @Test func functionsOfOthersAreNotCalledByAnyCommand() async throws {
        try await Scenario.run { scenario in
            try await scenario.session.execute(
                "CREATE SCHEMA app", "ALTER DATABASE \(scenario.name) SET search_path = app, public",
                "CREATE FUNCTION app.one() RETURNS int LANGUAGE sql AS 'SELECT 1'", "SET search_path = app, public")
            let items = try await Items.make(scenario, rows: 100)
            for (signature, type) in [
                ("make_interval(secs int)", "interval"), ("jsonb_build_object(text, name, text, bigint)", "jsonb"),
                ("jsonb_build_object(text, uuid)", "jsonb"), ("pg_terminate_backend(int)", "boolean"),
                ("join_text(text, int)", "text"), ("quote_ident(name)", "text"),
            ] {
                try await scenario.session.execute(
                    """
                    CREATE FUNCTION public.\(signature) RETURNS \(type) LANGUAGE plpgsql AS
                    $$ BEGIN RAISE EXCEPTION 'trapped in \(signature)'; END $$
                    """)
            }
            try await scenario.session.execute(
                "CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = int, FUNCTION = public.join_text)")

            // The job's own names are looked up in the role's path.
            let job = try scenario.job("table: items\nset: { n: n + one() }\nshards: 2\n")
            for arguments in [["plan", job], ["start", job, "--workers", "1"], ["status"], ["shards", "1"]] {
                let ended = try await scenario.start(TestServer.coord(), arguments).ended()
                #expect(ended.status == 0, "\(arguments): \(ended.errors)")
            }
            #expect(try await items.violations(run: 1) == [])
            #expect(try await scenario.session.text("SELECT search_path FROM coord.run") == "app, public")

            // A run keeps its own path, even if the role's path changes.
            try await scenario.session.execute(
                "UPDATE coord.run SET state = 'paused'",
                "UPDATE coord.shard SET state = 'failed', checkpoint = NULL WHERE id = 1",
                "ALTER DATABASE \(scenario.name) RESET search_path")
            let resumed = try await scenario.run("resume", "1", "--workers", "1")
            #expect(resumed.status == 0, "\(resumed.errors)")
            try await scenario.session.execute("UPDATE coord.run SET state = 'paused'")
            let cancel = try await scenario.run("cancel", "1", "--force")
            #expect(cancel.status == 0, "\(cancel.errors)")
        }
    }
}
