import Foundation
import Glibc
import Sharding
import Testing

/// Another session's change that is committed during the run is never overwritten (I6).
@Suite struct LiveTableTests {
    /// pgbench's scale: COORD_TEST_SCALE, or 3, which means 300,000 accounts.
    private static let scale = getenv("COORD_TEST_SCALE").flatMap { Int(String(cString: $0)) } ?? 3

    /// Runs `body` while pgbench changes accounts.
    /// - Returns: the sums of accounts, branches, tellers and history afterwards.
    private func whilePgbenchWorks(
        _ scenario: Scenario, scale: Int, _ body: () async throws -> Void
    ) async throws -> [String?] {
        let session = scenario.session
        let pgbench = "\(try TestServer.variable("COORD_TEST_PGBIN"))/pgbench"
        let made = try await scenario.start(pgbench, ["-i", "-q", "-s", "\(scale)"]).ended()
        #expect(made.status == 0, "\(made.errors)")
        let load = try scenario.start(pgbench, ["-n", "-c", "2", "-T", "900"])
        try await eventually("pgbench is at work") {
            try await session.int("SELECT count(*) FROM pgbench_history") > 20
        }
        try await body()
        #expect(load.exitStatus == nil, "pgbench ended too early to disturb the run")
        load.send(SIGKILL)
        _ = try await load.ended()
        try await eventually("pgbench's transactions have ended") {
            try await session.int(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'pgbench'
                """) == 0
        }
        let sums = try await session.execute(
            """
            SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(bbalance) FROM pgbench_branches),
                (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(delta) FROM pgbench_history)
            """)
        return try #require(sums.first)
    }

    /// Writes every balance back as it was read. A change between the read and the write would be undone without the
    /// compare.
    private func hold(_ scenario: Scenario, without: String? = nil) async throws {
        let job = try scenario.job(
            """
            name: hold
            table: pgbench_accounts
            read: [abalance]
            compute: { transform: passthrough, writes: [abalance] }
            batch: { rows: 10000 }

            """, file: "hold.yaml")
        let ended = try await scenario.coord(
            "start", job, "--workers", "2", environment: without.map { ["COORD_TEST_WITHOUT": $0] } ?? [:]
        ).ended()
        #expect(ended.status == 0, "\(ended.errors)")
    }

    @Test func pgbenchLosesNoUpdateWhileRunsPassOverItsAccounts() async throws {
        try await Scenario.run { scenario in
            let session = scenario.session
            let sums = try await whilePgbenchWorks(scenario, scale: Self.scale) {
                let copy = try scenario.job(
                    """
                    name: copy
                    table: pgbench_accounts
                    read: [abalance]
                    compute: { transform: passthrough, writes: [filler] }
                    batch: { rows: 500 }

                    """, file: "copy.yaml")
                let copied = try await scenario.run("start", copy, "--workers", "2")
                #expect(copied.status == 0, "\(copied.errors)")
                let stale = try await session.int(
                    """
                    SELECT count(*) FROM pgbench_accounts AS a WHERE filler::text <> abalance::text
                        AND NOT EXISTS (SELECT FROM pgbench_history AS h WHERE h.aid = a.aid)
                    """)
                #expect(stale == 0)
                try await hold(scenario)
                let set = try scenario.job(
                    "name: set\ntable: pgbench_accounts\nset: { filler: \"'s' || abalance\" }\nbatch: { rows: 500 }\n",
                    file: "set.yaml")
                let changed = try await scenario.run("start", set, "--workers", "2")
                #expect(changed.status == 0, "\(changed.errors)")
            }
            #expect(Set(sums).count == 1, "\(sums)")
            #expect(try await session.int("SELECT count(*) FROM pgbench_accounts WHERE filler NOT LIKE 's%'") == 0)
        }
    }

    /// The negative control: without the compare, the run overwrites pgbench's changes with old balances.
    @Test func pgbenchLosesUpdatesWithoutTheCompare() async throws {
        try await Scenario.run { scenario in
            let sums = try await whilePgbenchWorks(scenario, scale: 1) {
                for _ in 0..<3 { try await hold(scenario, without: "compare") }
            }
            #expect(Set(sums[1...]).count == 1, "\(sums)")
            #expect(sums[0] != sums[1], "the negative control found nothing")
        }
    }

    /// The test changes `hits` of some rows without a pause, while a slow program computes `copy` from `hits`. For
    /// every write of `copy`, a trigger notes `hits` of the row version that was written.
    @Test(arguments: [nil, "compare"])
    func computedValueBelongsToTheRowVersionThatItReplaces(without: String?) async throws {
        try await Scenario.run { scenario in
            try scenario.program("copy_hits.py")
            try await scenario.session.execute(
                "CREATE TABLE hot (id bigint PRIMARY KEY, hits int NOT NULL DEFAULT 0, copy int)",
                "INSERT INTO hot SELECT generate_series(1, 6000)",
                "CREATE TABLE history (id bigint, hits int, copy int)",
                """
                CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO history VALUES (NEW.id, NEW.hits, NEW.copy); RETURN NULL; END $$
                """,
                "CREATE TRIGGER remember AFTER UPDATE OF copy ON hot FOR EACH ROW EXECUTE FUNCTION remember()")
            let job = try scenario.job(
                """
                table: hot
                read: [hits]
                compute: { command: [python3, copy_hits.py], writes: [copy] }
                batch: { rows: 50 }
                shards: 4

                """)
            let user = scenario.connect()
            let coordinator = try scenario.coord(
                "start", job, "--workers", "2", environment: without.map { ["COORD_TEST_WITHOUT": $0] } ?? [:])
            var random = SeededGenerator(seed: 7)
            var made: [Int: Int] = [:]
            while coordinator.exitStatus == nil {
                // Every tenth row is changed.
                let id = Int.random(in: 0..<600, using: &random) * 10 + 1
                try await user.execute("UPDATE hot SET hits = hits + 1 WHERE id = \(id)")
                made[id, default: 0] += 1
            }
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            let rows = try await scenario.session.execute("SELECT id, hits FROM hot WHERE hits > 0")
            let hits = rows.reduce(into: [Int: Int]()) { $0[Int($1[0] ?? "") ?? 0] = Int($1[1] ?? "") }
            #expect(hits == made)
            let stale = try await scenario.session.int("SELECT count(*) FROM history WHERE copy IS DISTINCT FROM hits")
            guard without == nil else { return #expect(stale > 0, "the negative control found nothing") }
            #expect(stale == 0)
            let notOnce = try await scenario.session.int(
                """
                SELECT count(*) FROM (
                    SELECT FROM hot LEFT JOIN history AS h USING (id) GROUP BY id HAVING count(h) <> 1) AS q
                """)
            #expect(notOnce == 0)
            let cold = try await scenario.session.int("SELECT count(*) FROM hot WHERE hits = 0 AND copy <> 0")
            #expect(cold == 0)
        }
    }

    /// A row that changes more often than a batch takes is read under a lock at last.
    @Test func rowThatNeverRestsIsDoneAllTheSame() async throws {
        try await Scenario.run { scenario in
            try scenario.program("copy_hits.py")
            try await scenario.session.execute(
                "CREATE TABLE hot (id bigint PRIMARY KEY, hits int NOT NULL DEFAULT 0, copy int)",
                "INSERT INTO hot SELECT generate_series(1, 10)")
            let job = try scenario.job(
                "table: hot\nread: [hits]\ncompute: { command: [python3, copy_hits.py], writes: [copy] }\n")
            let user = scenario.connect()
            let coordinator = try scenario.coord("start", job, "--workers", "1")
            while coordinator.exitStatus == nil {
                try await user.execute("UPDATE hot SET hits = hits + 1 WHERE id = 5")
            }
            #expect(try await coordinator.ended().status == 0)
            #expect(try await scenario.session.int("SELECT count(*) FROM hot WHERE copy IS NULL") == 0)
            #expect(try await scenario.session.bool("SELECT copy > 0 AND copy <= hits FROM hot WHERE id = 5"))
        }
    }

    @Test func rowThatIsDeletedBetweenReadAndWriteDoesNotHoldTheRunUp() async throws {
        try await Scenario.run { scenario in
            try scenario.program("copy_hits.py")
            try await scenario.session.execute(
                "CREATE TABLE hot (id bigint PRIMARY KEY, hits int NOT NULL DEFAULT 0, copy int)",
                "INSERT INTO hot SELECT generate_series(1, 10)")
            let user = scenario.connect()
            try await user.execute("BEGIN", "DELETE FROM hot WHERE id IN (5, 10)")
            let job = try scenario.job(
                "table: hot\nread: [hits]\ncompute: { command: [python3, copy_hits.py], writes: [copy] }\n")
            let coordinator = try scenario.coord("start", job, "--workers", "1")
            try await Self.workerWaits(scenario)
            try await user.execute("COMMIT")
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await scenario.session.int("SELECT count(copy) FROM hot") == 8)
            #expect(try await scenario.rowsDone(1) == 8)
        }
    }

    @Test(arguments: Items.Kind.allCases)
    func deadlockWithTheApplicationIsTriedAgain(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            try scenario.program("plus_one.py")
            try await scenario.session.execute(
                "CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0)",
                "INSERT INTO items SELECT generate_series(1, 20)")
            let user = scenario.connect()
            // The batch looks for deadlocks first, so that the server ends the batch and not the application.
            try await user.execute("SET deadlock_timeout = '20s'", "BEGIN", "UPDATE items SET n = n + 10 WHERE id = 10")
            let change =
                kind == .setBased
                ? "set: { n: n + 1 }" : "read: [n]\ncompute: { command: [python3, plus_one.py], writes: [n] }"
            let job = try scenario.job("table: items\n\(change)\n" + Items.atTheGate + Items.patient)
            let coordinator = try scenario.coord("start", job, "--workers", "1")
            try await Self.workerWaits(scenario)
            try await user.execute("UPDATE items SET n = n + 10 WHERE id = 1", "COMMIT")
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            let sums = try await scenario.session.execute(
                "SELECT count(*) FILTER (WHERE n = 11), count(*) FILTER (WHERE n = 1) FROM items")
            #expect(sums == [["2", "18"]])
            try await eventually("the server has counted the deadlock") {
                try await scenario.session.int(
                    "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") > 0
            }
        }
    }

    private static func workerWaits(_ scenario: Scenario) async throws {
        try await eventually("a batch waits for a row") {
            try await scenario.session.int(
                """
                SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name LIKE 'coord run%' AND wait_event_type = 'Lock'
                """) > 0
        }
    }
}
