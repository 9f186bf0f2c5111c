import Testing

/// A custom program: coord with a user's own transforms compiled in.
@Suite struct OwnTransformTests {
    private static func prices(_ scenario: Scenario, transform: String, read: String, writes: String) async throws
        -> String
    {
        try await scenario.session.execute(
            "CREATE TABLE prices (id int PRIMARY KEY, name text, price int)",
            "INSERT INTO prices SELECT i, 'name ' || i, i * 4 FROM generate_series(1, 3000) AS i",
            "ANALYZE prices")
        return try scenario.job(
            """
            table: prices
            read: [\(read)]
            compute: { transform: \(transform), writes: [\(writes)] }
            batch: { rows: 200 }
            shards: 6
            retry: { attempts: 2, backoff: 1ms }

            """)
    }

    @Test func itsWorkersComputeWithItsTransforms() async throws {
        try await Scenario.run { scenario in
            let job = try await Self.prices(scenario, transform: "shout", read: "name", writes: "name")
            let own = try TestServer.program("own-transforms")
            let ended = try await scenario.start(own, ["start", job, "--workers", "2"]).ended(within: .seconds(60))
            #expect(ended.status == 0, "\(ended.errors)")
            let wrong = try await scenario.session.int("SELECT count(*) FROM prices WHERE name <> 'NAME ' || id")
            #expect(wrong == 0)
        }
    }

    @Test func aRowThatItsTransformRefusesFailsThatShardAlone() async throws {
        try await Scenario.run { scenario in
            let job = try await Self.prices(scenario, transform: "half", read: "price", writes: "price")
            try await scenario.session.execute("UPDATE prices SET price = 7 WHERE id = 1500")
            let own = try TestServer.program("own-transforms")
            let ended = try await scenario.start(own, ["start", job, "--workers", "2"]).ended(within: .seconds(60))
            #expect(ended.status == 3, "\(ended.errors)")
            #expect(ended.output.contains("transform half failed: OddPrice(price: 7)"))
            try await scenario.session.execute("UPDATE prices SET price = 6000 WHERE id = 1500")
            let run = try await scenario.newestRun()
            let mended = try await scenario.start(own, ["resume", "\(run)", "--workers", "2"])
                .ended(within: .seconds(60))
            #expect(mended.status == 0, "\(mended.errors)")
            let wrong = try await scenario.session.int("SELECT count(*) FROM prices WHERE price <> id * 2")
            #expect(wrong == 0)
        }
    }

    @Test func coordItselfSaysThatItHasNoSuchTransform() async throws {
        try await Scenario.run { scenario in
            let job = try await Self.prices(scenario, transform: "shout", read: "name", writes: "name")
            let ended = try await scenario.run("start", job)
            #expect(ended.status == 2)
            #expect(ended.errors.contains("this coord has no transform shout, only passthrough"))
            #expect(!ended.errors.contains("Usage:"))
            #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
        }
    }
}
