import Glibc
import Support
import Testing

/// Does what the documentation tells a reader to do.
@Suite struct DocumentTests {
    /// The beginnings of commands that a test leaves out: the build and the server exist already, and the scenario
    /// removes the folder.
    static let given = [
        "make ", "export PATH", "Cluster/local/postgres.sh ", "eval ", "coord --version", "cd -",
        "rm -r /tmp/first-run",
    ]

    private static func shell(_ scenario: Scenario, _ commands: String) throws -> LiveProcess {
        let path = "\(try TestServer.program("")):\(try TestServer.variable("PATH"))"
        let lines = commands.split(separator: "\n").filter { line in !given.contains { line.hasPrefix($0) } }
        let text = lines.joined(separator: "\n").replacing("/tmp/first-run", with: "\(scenario.folder)/first-run")
        let start = "mkdir -p first-run && cd first-run"
        return try scenario.start(
            "/usr/bin/env", ["bash", "-euo", "pipefail", "-c", "cd \(scenario.folder) && \(start)\n\(text)\n"],
            environment: ["PATH": path])
    }

    @Test func theTutorialIsDoneWordByWord() async throws {
        try await Scenario.run { scenario in
            var interrupted = false
            var said = ""
            for step in try Document("docs/tutorial/first-run.md").steps {
                switch step {
                case .block(_, let text, let name):
                    try scenario.write(text, to: "first-run/\(try #require(name))")
                case .commands(let commands) where commands.hasPrefix("run 1 of "):
                    // The output of the command before this step. The tutorial shows other numbers.
                    #expect(said.contains("run 1 of email-key: paused"))
                    #expect(said.contains("coord resume 1   goes on where it stopped"))
                case .commands("coord start email-key.yaml --workers 2"):
                    // Somebody holds a row, so that the run cannot be over before the interrupt.
                    let holder = scenario.connect()
                    try await holder.execute("BEGIN", "SELECT FROM customers WHERE id = 250000 FOR UPDATE")
                    let start = try Self.shell(scenario, "exec coord start email-key.yaml --workers 2")
                    let run = try await scenario.newestRun()
                    try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
                    start.send(SIGINT)
                    try await eventually("it drains") { start.errors.contains("draining") }
                    await holder.close()
                    let ended = try await start.ended()
                    #expect(ended.status == 130, "\(ended.errors)")
                    said = ended.output
                    interrupted = true
                case .commands(let commands):
                    let ended = try await Self.shell(scenario, commands).ended(within: .seconds(300))
                    #expect(ended.status == 0, "\(commands)\n\(ended.errors)")
                    said = ended.output
                }
            }
            #expect(interrupted)
            let wrong = try await scenario.session.int(
                "SELECT count(*) FROM customers WHERE email_key IS DISTINCT FROM lower(trim(email))")
            #expect(wrong == 0)
            let runs = try await scenario.session.text("SELECT string_agg(state, ' ' ORDER BY id) FROM coord.run")
            #expect(runs == "complete complete")
        }
    }

    /// The rights that the pages grant are enough for a run, and the pages' queries run.
    @Test func theStatementsForOperatorsRun() async throws {
        try await Scenario.run { scenario in
            let roles = ["app_coord", "app_worker"].map { "\($0)_\(scenario.name)" }
            try await scenario.session.execute(
                "CREATE TABLE items (id bigint PRIMARY KEY, price int, new_price int)",
                "INSERT INTO items SELECT i, i FROM generate_series(1, 1000) AS i", "ANALYZE items")
            for role in roles { try await scenario.session.execute("CREATE ROLE \(role) LOGIN") }
            let installed = try await scenario.run("ledger", "install", "--roles")
            #expect(installed.status == 0, "\(installed.errors)")
            var blocks = 0
            let pages = ["start", "bloat"].map { "docs/operating/\($0).md" }
            for case .block("sql", let text, _) in try pages.flatMap({ try Document($0).steps }) {
                let named = text.replacing("app_coord", with: roles[0]).replacing("app_worker", with: roles[1])
                let file = try scenario.write(named, to: "statements.sql")
                let ended = try await scenario.start(
                    "/usr/bin/env", ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", file]
                ).ended()
                #expect(ended.status == 0, "\(ended.errors)")
                blocks += 1
            }
            #expect(blocks == 3)
            let job = try scenario.job("table: items\nset: { new_price: price * 2 }\n")
            let ended = try await scenario.run(
                "start", job, "--workers", "1", "--worker-database", "user=\(roles[1])",
                environment: ["PGUSER": roles[0]])
            #expect(ended.status == 0, "\(ended.errors)")
            for role in roles { try await scenario.session.execute("DROP OWNED BY \(role)", "DROP ROLE \(role)") }
        }
    }

    /// A complete job file in the documentation of job files runs and does what it says.
    @Test func theJobsOfThePageOnItsKeysRun() async throws {
        let whole = try Document("docs/job-file.md").steps.compactMap { step in
            if case .block("yaml", let text, _) = step, text.hasPrefix("table: ") { text } else { nil }
        }
        #expect(whole.count == 2)
        for text in whole {
            try await Scenario.run { scenario in
                try await scenario.session.execute(
                    "CREATE TABLE customers (id bigint PRIMARY KEY, email text, email_key text)",
                    "INSERT INTO customers SELECT i, 'User' || i FROM generate_series(1, 5000) AS i",
                    "ANALYZE customers")
                let job = try scenario.job(text)
                let plan = try await scenario.run("plan", job, "--json")
                #expect(plan.status == 0, "\(plan.errors)")
                // By its own choice, a run over such a small table goes in key order.
                let asksForTheComb = text.contains("order: comb\n")
                #expect(try JSON(plan.output)["order"]["order"].string == (asksForTheComb ? "comb" : "key"))
                let ended = try await scenario.run("start", job, "--workers", "2")
                #expect(ended.status == 0, "\(ended.errors)")
                let wrong = try await scenario.session.int(
                    "SELECT count(*) FROM customers WHERE email_key IS DISTINCT FROM lower(email)")
                #expect(wrong == 0)
                let rule = try await scenario.session.text("SELECT specification #>> '{comb,rule}' FROM coord.run")
                #expect(rule == (asksForTheComb ? "remainder" : nil))
            }
        }
    }
}
