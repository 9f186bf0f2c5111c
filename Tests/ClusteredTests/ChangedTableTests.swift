import Glibc
import Support
import Testing

/// A run is bound to its table, not to a name.
@Suite struct ChangedTableTests {
    /// What somebody does to the table during a run, words of the reason to stop, and how the change is undone.
    struct Change: Sendable, CustomTestStringConvertible {
        var name: String
        var statements: [String]
        var says: String
        var undo: [String]
        /// Whether the change needs a lock that conflicts with the lock of a batch.
        var waitsForBatches = true
        var testDescription: String { name }
    }

    static let changes = [
        Change(
            name: "another table gets its name",
            statements: [
                "ALTER TABLE items RENAME TO items_old", "CREATE TABLE items (LIKE items_old INCLUDING ALL)",
                "INSERT INTO items SELECT * FROM items_old",
            ], says: "is another table now",
            undo: ["ALTER TABLE items RENAME TO items_new", "ALTER TABLE items_old RENAME TO items"]),
        Change(
            name: "it is renamed", statements: ["ALTER TABLE items RENAME TO goods"], says: "is named public.goods now",
            undo: ["ALTER TABLE goods RENAME TO items"]),
        Change(
            name: "two columns change names",
            statements: [
                "ALTER TABLE items ADD m int NOT NULL DEFAULT 0", "ALTER TABLE items RENAME n TO x",
                "ALTER TABLE items RENAME m TO n",
            ], says: "column n of public.items is named x now",
            undo: ["ALTER TABLE items DROP n", "ALTER TABLE items RENAME x TO n"]),
        Change(
            name: "the column has another type", statements: ["ALTER TABLE items ALTER n TYPE bigint"],
            says: "column n of public.items has the type bigint now, it had integer", undo: []),
        Change(
            name: "a child table comes", statements: ["CREATE TABLE child () INHERITS (items)"],
            says: "has child tables now", undo: ["DROP TABLE child"], waitsForBatches: false),
        Change(
            name: "a rule comes", statements: ["CREATE RULE nothing AS ON UPDATE TO items DO INSTEAD NOTHING"],
            says: "the rule nothing on public.items", undo: ["DROP RULE nothing ON items"]),
    ]

    /// The job names no key, so it takes the table's primary key. The ranges that are left belong to the old key, and
    /// would mean other rows under a new one.
    @Test(arguments: [
        "ALTER TABLE items DROP CONSTRAINT items_pkey, ADD m int NOT NULL DEFAULT 0, ADD PRIMARY KEY (id, m)",
        "ALTER TABLE items DROP CONSTRAINT items_pkey, ADD other bigint GENERATED ALWAYS AS (1000 - id) STORED PRIMARY KEY",
    ])
    func runWhoseTableHasAnotherKeyIsNotResumed(change: String) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "2")
            try await gate.reached(by: 2)
            coordinator.send(SIGTERM)
            try await eventually("it drains") { coordinator.errors.contains("draining") }
            await gate.open()
            #expect(try await coordinator.ended().status == 130)
            let before = try await scenario.session.int("SELECT sum(n) FROM items")
            try await scenario.session.execute(change)
            let resumed = try await scenario.run("resume", "1", "--workers", "2")
            #expect(resumed.status == 2, "\(resumed.errors)")
            #expect(resumed.errors.contains("the run's ranges are of (id)"), "\(resumed.errors)")
            #expect(resumed.errors.contains("--new"), "\(resumed.errors)")
            #expect(try await scenario.session.int("SELECT sum(n) FROM items") == before)
            #expect(try await scenario.state(of: 1) == "paused")
            try await scenario.session.execute(
                "ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (id)")
            #expect(try await scenario.run("resume", "1", "--workers", "2").status == 0)
            #expect(try await items.violations(run: 1) == [])
        }
    }

    @Test(arguments: changes, Items.Kind.allCases)
    func runStopsOnceWithTheReasonAndGoesOnWhenItIsUndone(change: Change, kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord(
                "start", try items.job(kind, batch: 20, shards: 4), "--workers", "2", "--json")
            try await gate.reached(by: 1)
            // The change is one transaction, as in a migration: it waits for the batches under way, and the next
            // batches wait for it.
            let migration = scenario.connect()
            async let migrated = migration.execute(all: ["BEGIN"] + change.statements + ["COMMIT"])
            if change.waitsForBatches {
                try await eventually("the migration waits for the batches") {
                    try await scenario.session.bool(
                        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'items'::regclass)")
                }
                await gate.open()
                _ = try await migrated
            } else {
                _ = try await migrated
                await gate.open()
            }
            let ended = try await coordinator.ended(within: .seconds(60))
            let run = try await scenario.newestRun()
            #expect(ended.status == 1, "\(ended.errors)")
            #expect(ended.errors.contains(change.says), "\(ended.errors)")
            #expect(ended.errors.contains("coord start FILE --new"), "\(ended.errors)")
            #expect(try await scenario.state(of: run) == "paused")
            // No shard has failed, and no attempt is used up.
            #expect(try await scenario.session.int("SELECT count(*) FROM coord.shard WHERE state = 'failed'") == 0)
            let refused = try await scenario.run("resume", "\(run)", "--workers", "2")
            if change.undo.isEmpty {
                // A resume reads the columns anew, which is enough here.
                #expect(refused.status == 0, "\(refused.errors)")
            } else {
                #expect(refused.status == 2 && refused.errors.contains(change.says), "\(refused.errors)")
                try await scenario.session.execute(all: change.undo)
                let resumed = try await scenario.run("resume", "\(run)", "--workers", "2")
                #expect(resumed.status == 0, "\(resumed.errors)")
            }
            #expect(try await items.violations(run: run) == [])
        }
    }

    /// A change that only makes the server plan anew is no reason to stop.
    @Test(arguments: Items.Kind.allCases) func runGoesOnWhenAColumnIsWidenedOrAdded(kind: Items.Kind) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            try await scenario.session.execute("ALTER TABLE items ADD note varchar(10) DEFAULT 'x'")
            let gate = try await items.closeGate()
            let coordinator = try scenario.coord("start", try items.job(kind, batch: 20, shards: 4), "--workers", "2")
            try await gate.reached(by: 1)
            let migration = scenario.connect()
            async let migrated = migration.execute(
                "ALTER TABLE items ALTER note TYPE varchar(20), ADD extra int, ALTER n SET STATISTICS 10")
            try await eventually("the migration waits for the batches") {
                try await scenario.session.bool(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'items'::regclass)")
            }
            await gate.open()
            _ = try await migrated
            let ended = try await coordinator.ended(within: .seconds(60))
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
        }
    }
}
