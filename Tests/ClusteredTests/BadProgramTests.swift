import Glibc
import Testing

/// A program that does something wrong, and words of the run's summary about it.
struct Misbehaviour: Sendable, CustomTestStringConvertible {
    var how: String
    var message: String
    /// Whether the error names its row. Then the same error at the same row is no accident, and the shard is not tried
    /// again.
    var namesRow: Bool

    init(_ how: String, _ message: String, namesRow: Bool = true) {
        self.how = how
        self.message = message
        self.namesRow = namesRow
    }

    var testDescription: String { how }
}

@Suite struct BadProgramTests {
    @Test(arguments: [
        Misbehaviour("dies", "exit status 7"),
        Misbehaviour("prints_rubbish", "an answer cannot be used", namesRow: false),
        Misbehaviour("answers_another_key", "its key is none that the program was given", namesRow: false),
        Misbehaviour("answers_twice", "a key was answered twice"),
        Misbehaviour("skips_a_row_and_exits", "ended after"),
        Misbehaviour("hangs", "within 10.0 seconds", namesRow: false),
        Misbehaviour("writes_text_to_a_number", "column n"),
        Misbehaviour("writes_a_number_too_large", "column n"),
        Misbehaviour("forgets_a_column", "column n is missing"),
    ])
    func onlyShardsWhoseRowsTheProgramFailsOnFail(_ case: Misbehaviour) async throws {
        try await Self.failThenMend(`case`, keys: 30...50, failed: [0])
    }

    @Test func oneKeyThatTheProgramCannotComputeFailsExactlyOneShard() async throws {
        try await Self.failThenMend(
            Misbehaviour("dies", "exit status 7"), keys: 250...250, failed: [2])
    }

    /// PostgreSQL's message names neither the row nor the column. An invalid regclass has the SQLSTATE of a wrong
    /// statement, but it is the row's fault all the same.
    @Test func valueThatItsColumnDoesNotTakeIsNamedWithItsRowAndColumn() async throws {
        try await Scenario.run { scenario in
            try await scenario.session.execute(
                """
                CREATE TABLE orders (id int PRIMARY KEY, amount numeric(5, 2) NOT NULL DEFAULT 0,
                    code varchar(3), day date, place regclass)
                """, "INSERT INTO orders SELECT generate_series(1, 60)")
            try scenario.program("refused.py")
            let job = try scenario.job(
                """
                table: public.orders
                compute: { command: [python3, refused.py], writes: [amount, code, day, place] }
                shards: 6
                batch: { rows: 10 }

                """)
            let ended = try await scenario.run("start", job, "--workers", "2", "--json")
            #expect(ended.status == 3, "\(ended.errors)")
            let failures = try #require(try JSON.lines(ended.output).last)["failures"].elements
            let words = [
                "row id 15: column amount of type numeric(5,2): numeric field overflow (SQLSTATE 22003); the value is 1e6;",
                "row id 25: column code of type character varying(3): value too long for type character varying(3) "
                    + "(SQLSTATE 22001); the value is too long;",
                "row id 35: column day of type date: date/time field value out of range: \"2024-13-01\" (SQLSTATE 22008); "
                    + "the value is 2024-13-01;",
                "row id 45: column place of type regclass: relation \"nosuch\" does not exist (SQLSTATE 42P01); "
                    + "the value is nosuch;",
            ]
            #expect(failures.map { $0["shard"].int } == [1, 2, 3, 4, 5])
            for (failure, words) in zip(failures, words) {
                #expect(
                    failure["error"].string?.contains("refused.py: an answer was refused: \(words)") == true,
                    "\(failure)")
            }
            // The row has two wrong values. PostgreSQL reports the one that it meets first.
            #expect(failures.last?["error"].string?.contains("row id 55: column ") == true)
            #expect(try await scenario.session.int("SELECT count(*) FROM orders WHERE amount = 1.5") == 10)
        }
    }

    /// A wrong statement fails in every shard, so it stops the run, and the error names no value.
    @Test func triggerThatMissesATableStopsTheRun() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 40)
            try await scenario.session.execute("DROP TRIGGER remember ON items", "DROP TABLE history")
            try await scenario.session.execute(
                """
                CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO history VALUES (NEW.id); RETURN NEW; END $$
                """, "CREATE TRIGGER look BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION look()")
            try scenario.program("plus_one.py")
            let ended = try await scenario.run(
                "start", try items.programJob("python3, plus_one.py", shards: 4), "--workers", "2", "--json")
            #expect(ended.status == 1)
            let summary = try #require(try JSON.lines(ended.output).last)
            #expect(summary["state"].string == "paused")
            #expect(summary["error"].string?.contains("relation \"history\" does not exist") == true)
            #expect(summary["error"].string?.contains("column n") == false)
        }
    }

    /// The fault is no shard's: no shard has failed, and no attempt is used up.
    @Test func programThatFailsOnEveryRowStopsTheRun() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let file = try scenario.program("misbehave.py")
            let job = try items.programJob("python3, \(file), dies, '1', '400'", shards: 4)
            let ended = try await scenario.run("start", job, "--workers", "2", "--json")
            let run = try await scenario.newestRun()
            #expect(ended.status == 1, "\(ended.errors)")
            let summary = try #require(try JSON.lines(ended.output).last)
            #expect(summary["state"].string == "paused")
            let error = summary["error"].string ?? ""
            #expect(error.contains("no worker can do this job") && error.contains("exit status 7"), "\(error)")
            #expect(try await scenario.session.int("SELECT max(failures) FROM coord.shard") == 0)
            try scenario.program("plus_one.py", as: "misbehave.py")
            let resumed = try await scenario.run("resume", "\(run)", "--workers", "2")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    /// The program does not start on one worker, and works on the other.
    @Test func misfitSpoilsNoShard() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            // The worker that takes the lock first is the misfit, at all its tries.
            try scenario.write(
                """
                mkdir misfit 2>/dev/null && echo $PPID > misfit/pid
                [ "$(cat misfit/pid)" = "$PPID" ] && { echo "no such library" >&2; exit 3; }
                exec python3 plus_one.py

                """, to: "perhaps.sh")
            try scenario.program("plus_one.py")
            let job = try items.programJob(
                "sh, perhaps.sh", batch: 10, shards: 8, retry: "retry: { attempts: 1, backoff: 10ms }\n")
            let ended = try await scenario.run("start", job, "--workers", "2", "--json")
            #expect(ended.status == 0, "\(ended.errors)")
            let lines = try JSON.lines(ended.output)
            let unfit = lines.filter { $0["message_type"].string == "worker_unfit" }
            #expect((1...3).contains(unfit.count))
            #expect(unfit.first?["error"].string?.contains("no such library") == true)
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
        }
    }

    @Test(arguments: ["no-such-program-anywhere", "./missing.sh", "./plus_one.py"])
    func programThatCannotBeStartedIsRefusedBeforeAnythingIsWritten(program: String) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 10)
            // The file is not executable.
            try scenario.program("plus_one.py")
            let ended = try await scenario.run("start", try items.programJob(program), "--workers", "1")
            #expect(ended.status == 2)
            #expect(ended.output.isEmpty)
            #expect(ended.errors.contains("compute.command cannot be started"))
            #expect(!ended.errors.contains("Usage:"))
            #expect(ended.errors.contains(program.split(separator: "/").last ?? ""))
            #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
        }
    }

    @Test func programsHaveEndedWhenTheirRunHas() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            try scenario.program("plus_one.py")
            let ended = try await scenario.run(
                "start", try items.programJob("python3, plus_one.py"), "--workers", "4")
            let left = scenario.pids.map { LiveProcess.commandLine(of: $0) }
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(left == [])
        }
    }

    /// A program that does not read its input does not notice that its worker is gone.
    @Test(arguments: [true, false])
    func programThatHangsDoesNotOutliveItsRun(coordinatorIsKilled: Bool) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 10)
            let coordinator = try scenario.coord(
                "start", try items.programJob("sleep, '1000'"), "--workers", "1")
            try await eventually("the program runs") {
                scenario.pids.contains { LiveProcess.commandLine(of: $0).first == "sleep" }
            }
            if coordinatorIsKilled {
                coordinator.send(SIGKILL)
            } else {
                coordinator.send(SIGINT)
                try await eventually("it drains") { coordinator.errors.contains("draining") }
                coordinator.send(SIGINT)
            }
            _ = try await coordinator.ended()
            try await eventually("nothing is left", within: .seconds(5)) { scenario.pids.isEmpty }
        }
    }

    /// Makes four shards of 100 rows. The program fails in some of them, then is mended.
    private static func failThenMend(_ case: Misbehaviour, keys: ClosedRange<Int>, failed: [Int]) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let file = try scenario.program("misbehave.py")
            // The time limit also holds for the batches of the other shards, on a machine of any speed. So it is long,
            // and the test waits for it only once.
            let hangs = `case`.how == "hangs"
            let tries = hangs ? 1 : 2
            let attempts = `case`.namesRow ? 1 : tries
            let job = try items.programJob(
                "python3, \(file), \(`case`.how), '\(keys.lowerBound)', '\(keys.upperBound)'", batch: 20, shards: 4,
                retry: "retry: { attempts: \(tries), backoff: 10ms }\n", timeout: hangs ? "10s" : "60s")
            let ended = try await scenario.run("start", job, "--workers", "2", "--json")
            let run = try await scenario.newestRun()
            #expect(ended.status == 3, "\(ended.errors)")
            let summary = try #require(try JSON.lines(ended.output).last)
            #expect(summary["state"].string == (failed.count == 4 ? "failed" : "partial"))
            #expect(summary["failures"].elements.map { $0["shard"].int } == failed)
            for failure in summary["failures"].elements {
                let error = failure["error"].string ?? ""
                #expect(error.contains(`case`.message))
                #expect(error.contains("trouble: \(`case`.how)"), "\(error)")
            }
            for shard in 0..<4 {
                let made = try await scenario.session.int(
                    "SELECT count(*) FROM coord.attempt WHERE shard_id = \(shard)")
                #expect(made == (failed.contains(shard) ? attempts : 1), "shard \(shard)")
            }
            // The failed batch has changed nothing, and no row is changed twice.
            #expect(try await scenario.session.int("SELECT count(*) FROM items WHERE n NOT IN (0, 1)") == 0)
            let changed = try await scenario.session.int(
                "SELECT count(*) FROM items WHERE id BETWEEN \(keys.lowerBound) AND \(keys.upperBound) AND n <> 0")
            #expect(changed == 0)

            try scenario.program("plus_one.py", as: "misbehave.py")
            let resumed = try await scenario.run("resume", "\(run)", "--workers", "2")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }
}
