import Glibc
import Sharding
import Support
import Testing

/// Runs stripe by stripe, under faults.
@Suite struct CombTests {
    private static let rows = 20_000

    @Test(arguments: [(Items.Kind.setBased, UInt64(7)), (.rowBased, 8)])
    func everyRowIsChangedOnceThoughWorkersAndCoordinatorsAreKilled(kind: Items.Kind, seed: UInt64) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: Self.rows, pace: 0.01)
            var random = SeededGenerator(seed: seed)
            let moments = (0..<6).map { _ in Int.random(in: 0..<Self.rows * 9 / 10, using: &random) }.sorted()
            let job = try items.job(kind, batch: 100, more: Items.comb)
            var coordinator = try scenario.coord("start", job, "--workers", "2")
            let run = try await scenario.newestRun()
            for (index, moment) in moments.enumerated() {
                let victim = try await first("a worker lives and \(moment) rows are done") {
                    try await scenario.rowsDone(run) >= moment ? scenario.workers.randomElement(using: &random) : nil
                }
                guard index == 2 || index == 4 else {
                    kill(victim, SIGKILL)
                    continue
                }
                // Workers and coordinators die while the ledger has a stretch under way.
                let under = try await scenario.session.int(
                    "SELECT count(*) FROM coord.shard WHERE run_id = \(run) AND stretch_end IS NOT NULL")
                #expect(under > 0)
                coordinator.send(index == 2 ? SIGKILL : SIGINT)
                _ = try await coordinator.ended()
                coordinator = try scenario.coord("resume", "\(run)", "--workers", "2")
            }
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
            let left = "SELECT count(*) FROM coord.shard WHERE run_id = \(run) AND stretch_end IS NOT NULL"
            #expect(try await scenario.session.int(left) == 0)
        }
    }

    @Test func workerThatWakesInItsStretchWritesNothing() async throws {
        try await Scenario.run { scenario in
            let zombie = try await Zombie.wake(in: scenario, .setBased, more: Items.comb)
            do {
                try await eventually("the zombie was refused") {
                    zombie.process.errors.contains("a step failed (fenced)")
                }
            } catch { throw LiveProcess.Stuck(output: zombie.process.errors) }
            #expect(try await zombie.items.violations(run: zombie.run) == [])
        }
    }

    @Test func runGoesOnByItselfWhenTheServerCrashes() async throws {
        try await TestServer.own { server, scenario in
            let items = try await Items.make(scenario, rows: Self.rows, pace: 0.01)
            let coordinator = try scenario.coord(
                "start", try items.job(.rowBased, batch: 100, more: Items.comb), "--workers", "2")
            let run = try await scenario.newestRun()
            try await eventually("a part of the rows is done") { try await scenario.rowsDone(run) >= Self.rows / 3 }
            await scenario.session.close()
            try await server.stop(.immediate)
            try await eventually("the coordinator noticed") {
                coordinator.errors.contains("the database is away")
            }
            try await server.start()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    /// Needs a debug build of coord.
    @Test(arguments: [nil, "stretch"])
    func onlyTheStretchInTheLedgerKeepsRowsFromBeingChangedTwice(without: String?) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let coordinator = try scenario.coord(
                "start", try items.setJob(batch: 20, shards: 1, more: Items.comb), "--workers", "1",
                environment: without.map { ["COORD_TEST_WITHOUT": $0] } ?? [:])
            guard without != nil else {
                #expect(try await coordinator.ended().status == 0)
                return #expect(try await items.violations(run: try await scenario.newestRun()) == [])
            }
            // Without the mechanism the run would never end.
            try await eventually("rows are changed twice") {
                try await scenario.session.int("SELECT count(*) FROM items WHERE n > 1") > 0
            }
        }
    }

    // MARK: - Whose fault a failure is

    /// The way in which a row's change fails.
    enum Fault: Sendable, CaseIterable {
        case constraint, constraintAtCommit, condition

        var statements: [String] {
            switch self {
            case .constraint: ["ALTER TABLE items ADD CHECK (id <> 777 OR n = 0)"]
            case .constraintAtCommit:
                [
                    """
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                        $$ BEGIN IF NEW.id = 777 THEN RAISE 'not this one'; END IF; RETURN NULL; END $$
                    """,
                    """
                    CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON items DEFERRABLE INITIALLY DEFERRED
                        FOR EACH ROW EXECUTE FUNCTION refuse()
                    """,
                ]
            case .condition: []
            }
        }
    }

    @Test(arguments: [
        (Items.Kind.setBased, Fault.constraint), (.setBased, .constraintAtCommit), (.setBased, .condition),
        (.rowBased, .constraint), (.rowBased, .constraintAtCommit), (.rowBased, .condition),
    ])
    func rowThatFailsIsNamed(kind: Items.Kind, fault: Fault) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000)
            try await scenario.session.execute(all: fault.statements)
            for order in [Items.comb, "order: key\n"] {
                let more = order + (fault == .condition ? "where: 10 / (id - 777) < 100\n" : "where: n = 0\n")
                let job = try items.job(kind, shards: 4, more: more)
                let ended = try await scenario.run("start", job, "--workers", "2")
                #expect(ended.status == 3, "\(ended.errors)")
                let run = try await scenario.newestRun()
                let errors = try await scenario.session.execute(
                    "SELECT error FROM coord.shard WHERE run_id = \(run) AND state <> 'done'")
                #expect(errors.count == 1)
                #expect(errors.first?.first??.contains("row id 777: ") == true, "\(order)\(errors)")
                try await scenario.session.execute(
                    "UPDATE items SET n = 0 WHERE id <> 777", "DROP SCHEMA coord CASCADE")
            }
        }
    }

    /// Somebody holds four rows while their batch goes around them, and then gives one a value at which the job fails.
    @Test(arguments: Items.Kind.allCases) func deferredRowThatFailsIsNamed(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            _ = try await Items.make(scenario, rows: 400)
            try await scenario.session.execute(
                "ALTER TABLE items ADD d int NOT NULL DEFAULT 1",
                """
                CREATE FUNCTION divide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n = NEW.n / NEW.d; RETURN NEW; END $$
                """)
            // A set job fails at its trigger, a program's job at its condition.
            let condition = kind == .rowBased ? "where: 100 / d > 0\n" : ""
            if kind == .setBased {
                try await scenario.session.execute(
                    "CREATE TRIGGER divide BEFORE UPDATE OF n ON items FOR EACH ROW EXECUTE FUNCTION divide()")
            }
            for order in [Items.comb, "order: key\n"] {
                #expect(try await scenario.run("ledger", "install").status == 0)
                let holder = scenario.connect()
                try await holder.execute(all: ["BEGIN", "SELECT FROM items WHERE id BETWEEN 16 AND 19 FOR UPDATE"])
                let change =
                    kind == .setBased
                    ? "set: { n: n + 1 }\n"
                    : "read: [n]\ncompute: { command: [python3, plus_one.py], writes: [n] }\n"
                try scenario.program("plus_one.py")
                let job = try scenario.job(
                    "table: items\n\(change)batch: { rows: 100 }\nshards: 1\n" + order + condition)
                let coordinator = try scenario.coord("start", job, "--workers", "1")
                try await eventually("only the held rows are left") {
                    try await scenario.session.bool(
                        "SELECT COALESCE(max(cardinality(deferred)) = 4 AND sum(rows_done) = 396, false) FROM coord.shard"
                    )
                }
                try await holder.execute(all: ["UPDATE items SET d = 0 WHERE id = 17", "COMMIT"])
                let ended = try await coordinator.ended(within: .seconds(60))
                #expect(ended.status == 3, "\(ended.errors)")
                let errors = try await scenario.session.execute("SELECT error FROM coord.shard WHERE state = 'failed'")
                #expect(errors.first?.first??.contains("row id 17: ") == true, "\(order)\(errors)")
                try await scenario.session.execute(
                    "ALTER TABLE items DISABLE TRIGGER ALL", "UPDATE items SET d = 1, n = 0",
                    "ALTER TABLE items ENABLE TRIGGER ALL", "DROP SCHEMA coord CASCADE")
            }
        }
    }

    /// The condition takes 2 ms for each row, so that a look at all keys would exceed the time limit.
    @Test(arguments: Items.Kind.allCases) func lookThatTakesTooLongIsTriedSmaller(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 200)
            try await scenario.session.execute(
                """
                CREATE FUNCTION slow(id bigint) RETURNS bool LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_sleep(0.002); RETURN true; END $$
                """)
            let job = try items.job(kind, batch: 100, shards: 1, more: Items.comb + "where: slow(id)\n")
            let ended = try await scenario.run(
                "start", job, "--workers", "1", environment: ["COORD_TEST_STATEMENT_TIMEOUT": "200"])
            #expect(ended.status == 0, "\(ended.errors)")
            let run = try await scenario.newestRun()
            #expect(try await (1...50).contains(scenario.session.int("SELECT batch_rows FROM coord.run")))
            #expect(try await items.violations(run: run) == [])
        }
    }
}
