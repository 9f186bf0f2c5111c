import Foundation
import Support
import Testing

/// Rows that the database does not change, and rows that somebody holds.
@Suite struct UnchangeableRowTests {
    /// A trigger that suppresses the update of every tenth row.
    static let triggers = [
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.id % 10 = 0 THEN RETURN NULL; END IF; RETURN NEW; END $$
        """,
        "CREATE TRIGGER refuse BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION refuse()",
    ]

    @Test(arguments: Items.Kind.allCases) func rowsWhoseUpdateATriggerSuppressesArePassed(kind: Items.Kind) async throws
    {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            try await scenario.session.execute(all: Self.triggers)
            let ended = try await scenario.run("start", try items.job(kind), "--workers", "2", "--json")
            #expect(ended.status == 0, "\(ended.errors)")
            let summary = try #require(try JSON.lines(ended.output).last)
            #expect(summary["rows_done"].int == 360)
            if kind == .rowBased { #expect(summary["rows_unchanged"].int == 40) }
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE n = (id % 10 <> 0)::int") == 400)
            // The run takes only a few batches more than the rows need.
            #expect(try await scenario.session.int("SELECT sum(sequence) FROM coord.shard") < 40)
        }
    }

    @Test func rowsThatWouldBecomeWhatTheyArePass() async throws {
        try await Scenario.run { scenario in
            try await scenario.session.execute(
                "CREATE TABLE things (id int PRIMARY KEY, n int)",
                "INSERT INTO things SELECT i, i FROM generate_series(1, 300) i",
                """
                CREATE TRIGGER same BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION
                    suppress_redundant_updates_trigger()
                """)
            let job = try scenario.job(
                "table: things\nread: [n]\ncompute: { transform: passthrough, writes: [n] }\nbatch: { rows: 50 }\n")
            let ended = try await scenario.run("start", job, "--workers", "2", "--json")
            #expect(ended.status == 0, "\(ended.errors)")
            let summary = try #require(try JSON.lines(ended.output).last)
            #expect(summary["rows_unchanged"].int == 300 && summary["rows_done"].int == 0)
        }
    }

    /// The plan fixes the run's end key.
    @Test(arguments: Items.Kind.allCases) func runEndsThoughRowsComeFasterThanItWorks(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 200)
            // Each change of rows adds three rows behind the last one.
            try await scenario.session.execute(
                """
                CREATE FUNCTION grow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    INSERT INTO items SELECT max(id) + i FROM items, generate_series(1, 3) AS i GROUP BY i; RETURN NULL;
                END $$
                """, "CREATE TRIGGER grow AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION grow()")
            let ended = try await scenario.run("start", try items.job(kind, batch: 20), "--workers", "1", "--json")
            #expect(ended.status == 0, "\(ended.errors)")
            let summary = try #require(try JSON.lines(ended.output).last)
            #expect(summary["rows_done"].int == 200 && summary["rows_above"].int == 600, "\(ended.output)")
            #expect(try JSON(try await scenario.run("status", "--json").output)["rows_above"].int == 600)
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE n = 1 AND id <= 200") == 200)
        }
    }

    /// While somebody holds a row, the run does all other rows, and the application never waits long for any of them.
    @Test(arguments: Items.Kind.allCases) func heldRowHoldsUpNeitherTheRunNorTheApplication(kind: Items.Kind)
        async throws
    {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 3000)
            try await scenario.session.execute("ALTER TABLE items ADD hits int NOT NULL DEFAULT 0")
            let holder = scenario.connect()
            try await holder.execute("BEGIN", "SELECT FROM items WHERE id = 1234 FOR UPDATE")
            let job = try items.job(kind, batch: 500, shards: 2).withPatience(scenario)
            let coordinator = try scenario.coord("start", job, "--workers", "2", "--json")
            // The application changes rows beside the held one.
            let application = scenario.connect()
            var waits: [Duration] = []
            var id = 1
            try await eventually("all other rows are changed") {
                for _ in 0..<20 {
                    id = id % 1200 + 1
                    let began = ContinuousClock.now
                    try await application.execute("UPDATE items SET hits = hits + 1 WHERE id = \(id)")
                    waits.append(ContinuousClock.now - began)
                }
                return try await scenario.session.int("SELECT count(*) FROM items WHERE n = 1") >= 2999
            }
            waits.sort()
            let p99 = waits[waits.count * 99 / 100]
            #expect(p99 < .milliseconds(300), "p99 \(p99), longest \(waits.last ?? .zero) of \(waits.count)")
            // The run says what it waits for.
            let line = try await first("it says what it waits for") {
                coordinator.output.split(separator: "\n").last { $0.contains("at id 1234") }
            }
            #expect(line.contains("waits for pid"), "\(line)")
            #expect(coordinator.exitStatus == nil)
            await holder.close()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE n <> 1") == 0)
        }
    }
}

extension String {
    /// Writes a copy of the job file with the default `lock_patience`.
    fileprivate func withPatience(_ scenario: Scenario) throws -> String {
        let text = try String(contentsOfFile: self, encoding: .utf8)
        return try scenario.write(text.replacing(Items.atTheGate, with: ""), to: "held.yaml")
    }
}
