import Foundation
import Glibc
import Testing

/// A ledger in a schema that a person chose, in a database where `coord` is somebody else's schema.
@Suite struct LedgerSchemaTests {
    private static let schema = "\"My \"\"Ledger\""

    private func occupyStandard(_ scenario: Scenario) async throws {
        try await scenario.session.execute(
            "CREATE SCHEMA coord", "CREATE TABLE coord.run (points int)", "INSERT INTO coord.run VALUES (7)")
    }

    private func standardIsUntouched(_ scenario: Scenario) async throws -> Bool {
        let tables = try await scenario.session.int(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'coord'::regnamespace")
        let points = try await scenario.session.int("SELECT sum(points) FROM coord.run")
        return tables == 1 && points == 7
    }

    /// The number of rows that were not changed exactly once.
    private func wrongRows(_ scenario: Scenario) async throws -> Int {
        try await scenario.session.int(
            """
            SELECT count(*) FROM (
                SELECT FROM items AS i LEFT JOIN history AS h ON h.id = i.id
                GROUP BY i.id, i.n HAVING i.n <> 1 OR count(h.xid) <> 1) AS q
            """)
    }

    @Test func runIsStartedShownAndResumedInAnotherSchema() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000)
            try await occupyStandard(scenario)
            let job = try items.job(.rowBased)
            let refused = try await scenario.run("start", job, "--workers", "1")
            #expect(refused.status == 2 && refused.errors.contains("--ledger-schema NAME"), "\(refused.errors)")

            let gate = try await items.closeGate()
            let coordinator = try scenario.coord("start", job, "--workers", "2", "--ledger-schema", Self.schema)
            try await gate.reached(by: 2)
            coordinator.send(SIGTERM)
            try await eventually("it drains") { coordinator.errors.contains("draining") }
            await gate.open()
            let ended = try await coordinator.ended()
            #expect(ended.status == 130, "\(ended.errors)")
            let told = ended.output + ended.errors
            #expect(told.contains("coord resume 1 --ledger-schema '\(Self.schema)'"), "\(told)")

            let lost = try await scenario.run("status")
            #expect(lost.status == 2 && lost.errors.contains("is not this program's"), "\(lost.errors)")
            let shown = try await scenario.run("status", "1", "--ledger-schema", Self.schema)
            #expect(shown.status == 0 && shown.output.contains("paused"), "\(shown.output)\(shown.errors)")
            // The environment names the schema, as it may for a service.
            let environment = ["COORD_LEDGER_SCHEMA": Self.schema]
            let resumed = try await scenario.run("resume", "1", "--workers", "2", environment: environment)
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await wrongRows(scenario) == 0)
            let shards = try await scenario.run("shards", "1", environment: environment)
            #expect(shards.output.split(separator: "\n").filter { $0.contains("done") }.count == 8, "\(shards.output)")
            #expect(try await standardIsUntouched(scenario))

            let wrong = try await scenario.run("status", environment: ["COORD_LEDGER_SCHEMA": "pg_x"])
            #expect(wrong.status == 2 && wrong.errors.contains("COORD_LEDGER_SCHEMA"), "\(wrong.errors)")
        }
    }

    /// Statements that turn the ledger back into an earlier version, by version.
    static let earlier: [Int: [String]] = [
        // Before version 7 workers changed their shards by statements of their own.
        6: [
            "DROP FUNCTION coord.open_lease, coord.fence, coord.advance",
            "DELETE FROM coord.migration WHERE version > 6",
        ],
        // Before version 6 a run could not be paused by desire, and nobody noted what a worker does.
        5: [
            "ALTER TABLE coord.worker DROP COLUMN activity, DROP COLUMN joined_at",
            "DROP TRIGGER record_pace ON coord.run", "DROP FUNCTION coord.record_pace()",
            "DROP FUNCTION coord.open_lease, coord.fence, coord.advance",
            "ALTER TABLE coord.run DROP COLUMN desired_by, DROP CONSTRAINT run_desired_check, DROP COLUMN pace_writers, "
                + "DROP COLUMN pace_rows, DROP COLUMN pace_until, DROP COLUMN pace_by, "
                + "ADD CONSTRAINT run_desired_check CHECK (desired IN ('running', 'cancelled'))",
            "DELETE FROM coord.migration WHERE version > 5",
        ],
        // Before version 5 every shard went in key order.
        4: [
            "ALTER TABLE coord.worker DROP COLUMN activity, DROP COLUMN joined_at",
            "DROP TRIGGER record_pace ON coord.run", "DROP FUNCTION coord.record_pace()",
            "DROP FUNCTION coord.open_lease, coord.fence, coord.advance",
            "ALTER TABLE coord.run DROP COLUMN desired_by, DROP CONSTRAINT run_desired_check, DROP COLUMN pace_writers, "
                + "DROP COLUMN pace_rows, DROP COLUMN pace_until, DROP COLUMN pace_by, "
                + "ADD CONSTRAINT run_desired_check CHECK (desired IN ('running', 'cancelled'))",
            "ALTER TABLE coord.shard DROP COLUMN stretch_end, DROP COLUMN stripe, DROP COLUMN stripe_key",
            "ALTER TABLE coord.run DROP COLUMN storage", "DELETE FROM coord.migration WHERE version > 4",
            "UPDATE coord.run SET specification = jsonb_set(specification, '{version}', '1')",
        ],
        // Before version 4 the ledger had no specification, and each worker resolved the job itself.
        3: [
            "ALTER TABLE coord.worker DROP COLUMN activity, DROP COLUMN joined_at",
            "DROP TRIGGER record_pace ON coord.run", "DROP FUNCTION coord.record_pace()",
            "DROP FUNCTION coord.open_lease, coord.fence, coord.advance",
            "ALTER TABLE coord.run DROP COLUMN desired_by, DROP CONSTRAINT run_desired_check, DROP COLUMN pace_writers, "
                + "DROP COLUMN pace_rows, DROP COLUMN pace_until, DROP COLUMN pace_by, "
                + "ADD CONSTRAINT run_desired_check CHECK (desired IN ('running', 'cancelled'))",
            "ALTER TABLE coord.shard DROP COLUMN stretch_end, DROP COLUMN stripe, DROP COLUMN stripe_key",
            "ALTER TABLE coord.run DROP COLUMN storage, DROP COLUMN specification",
            "DELETE FROM coord.migration WHERE version > 3",
        ],
    ]

    @Test(arguments: Items.Kind.allCases, [3, 4, 5, 6])
    func unfinishedRunOfAnEarlierVersionGoesOn(kind: Items.Kind, version: Int) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000)
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord("start", try items.job(kind), "--workers", "2")
            try await gate.reached(by: 2)
            coordinator.send(SIGTERM)
            try await eventually("it drains") { coordinator.errors.contains("draining") }
            await gate.open()
            #expect(try await coordinator.ended().status == 130)
            for statement in Self.earlier[version] ?? [] { try await scenario.session.execute(statement) }
            let refused = try await scenario.run("resume", "1", "--workers", "2")
            #expect(refused.status == 2 && refused.errors.contains("coord ledger install"), "\(refused.errors)")
            #expect(try await scenario.run("ledger", "install").status == 0)
            let resumed = try await scenario.run("resume", "1", "--workers", "2")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: 1) == [])
        }
    }

    @Test func workerOfAnotherLedgerIsTurnedAwayBeforeItReadsAJobThere() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 500)
            // The stray worker's ledger has a run with the same number.
            let stray = try scenario.job("table: items\nset: { n: n + 100 }\nwhere: n < 0\n", file: "stray.yaml")
            #expect(try await scenario.run("start", stray, "--workers", "1").status == 0)
            try await scenario.session.execute("TRUNCATE history")
            let endpoint = "ipc://\(scenario.folder)/join"
            // The key in the job file overrides the environment.
            let text = try items.setJob()
            let job = try scenario.job("\(try String(contentsOfFile: text, encoding: .utf8))ledger_schema: ops\n")
            let coordinator = try scenario.coord(
                "start", job, "--workers", "0", "--listen", endpoint, environment: ["COORD_LEDGER_SCHEMA": "other"])
            try await eventually("it says where to join, and with which ledger") {
                coordinator.errors.contains("coord worker --ledger-schema '\"ops\"' --connect \(endpoint)")
            }
            let turned = try await scenario.run("worker", "--connect", endpoint)
            #expect(turned.status == 1, "\(turned.errors)")
            #expect(turned.errors.contains("this worker's ledger is in the schema coord, and the run's in \"ops\""))
            let worker = try scenario.coord("worker", "--connect", endpoint, "--ledger-schema", "ops")
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(ended.errors.contains("the runs of one know nothing of the other's"), "\(ended.errors)")
            #expect(try await worker.ended(within: .seconds(10)).status == 0)
            #expect(try await wrongRows(scenario) == 0)
        }
    }
}
