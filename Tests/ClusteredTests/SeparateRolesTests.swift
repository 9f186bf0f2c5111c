import Glibc
import Postgres
import Support
import Testing

/// Runs whose coordinator and workers are members of the ledger's group roles, and of nothing else.
@Suite(.serialized) struct SeparateRolesTests {
    /// Accounts of one scenario.
    private struct Accounts {
        var coordinator, worker, viewer: String

        init(_ scenario: Scenario) {
            coordinator = "c_\(scenario.name)"
            worker = "w_\(scenario.name)"
            viewer = "v_\(scenario.name)"
        }

        var all: [(account: String, role: String)] {
            [(coordinator, "coord_coordinator"), (worker, "coord_worker"), (viewer, "coord_viewer")]
        }
    }

    /// Makes the ledger, its roles and an account of each, with the rights on the table that the command shows.
    private func install(_ scenario: Scenario, _ job: String) async throws -> Accounts {
        let installed = try await scenario.run("ledger", "install", "--roles", "--job", job)
        #expect(installed.status == 0, "\(installed.errors)")
        let accounts = Accounts(scenario)
        let grants = installed.output.split(separator: "\n").map { $0.trimmingPrefix("  ") }.filter {
            $0.hasPrefix("GRANT SELECT") || $0.hasPrefix("GRANT UPDATE")
        }
        #expect(grants.count == 2, "\(installed.output)")
        for grant in grants { try await scenario.session.execute(String(grant)) }
        // The tables of the triggers by which these tests watch.
        try await scenario.session.execute("GRANT INSERT ON history TO coord_worker")
        for (account, role) in accounts.all {
            try await scenario.session.execute("CREATE ROLE \(account) LOGIN", "GRANT \(role) TO \(account)")
        }
        return accounts
    }

    private func drop(_ accounts: Accounts, _ scenario: Scenario) async throws {
        for (account, _) in accounts.all { try await scenario.session.execute("DROP ROLE \(account)") }
    }

    @Test(arguments: [(Items.Kind.setBased, ""), (.setBased, Items.comb), (.rowBased, "")])
    func everyRowIsChangedOnceByRolesThatMayNothingElse(kind: Items.Kind, order: String) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 3_000, pace: 0.05)
            let job = try items.job(kind, more: order)
            let accounts = try await install(scenario, job)
            let coordinator = try scenario.coord(
                "start", job, "--workers", "2", "--worker-database", "user=\(accounts.worker)",
                environment: ["PGUSER": accounts.coordinator])
            let run = try await scenario.newestRun()
            let victim = try await first("a worker lives and rows are done") {
                try await scenario.rowsDone(run) >= 500 ? scenario.workers.first : nil
            }
            #expect(
                try await scenario.session.text(
                    """
                    SELECT string_agg(DISTINCT usename, ',') FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'coord run%'
                    """) == accounts.worker)
            kill(victim, SIGKILL)
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(ended.errors.contains("killed by signal 9"))
            #expect(try await items.violations(run: run) == [])
            try await drop(accounts, scenario)
        }
    }

    @Test func whatARoleMayNotIsSaidWithTheMend() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let job = try items.setJob()
            let accounts = try await install(scenario, job)
            #expect(try await scenario.run("start", job, "--workers", "1").status == 0)
            func refused(_ arguments: [String], as user: String, _ words: String...) async throws {
                let ended = try await scenario.start(TestServer.coord(), arguments, environment: ["PGUSER": user])
                    .ended()
                #expect(ended.status == 4, "\(arguments): \(ended.errors)")
                for word in words { #expect(ended.errors.contains(word), "\(arguments): \(ended.errors)") }
            }
            let seen = try await scenario.run("status", environment: ["PGUSER": accounts.viewer])
            #expect(seen.status == 0, "\(seen.errors)")
            try await refused(
                ["cancel", "1"], as: accounts.viewer, "run 1 was not cancelled", "GRANT coord_coordinator TO it")
            try await refused(
                ["pause", "1"], as: accounts.viewer, "run 1 was not paused", "GRANT coord_coordinator TO it")
            try await refused(["status"], as: accounts.worker, "GRANT coord_viewer TO it")
            // The coordinator's role changes no rows.
            try await refused(
                ["plan", job, "--workers", "1"], as: accounts.coordinator, "may not UPDATE n of items",
                "--worker-database")
            try await refused(
                ["plan", job, "--worker-database", "user=\(accounts.viewer)"], as: accounts.coordinator,
                "the workers' role \(accounts.viewer) may not UPDATE n of items")
            let plan = try await scenario.run(
                "plan", job, "--workers", "0", environment: ["PGUSER": accounts.coordinator])
            #expect(plan.status == 0 && plan.output.contains("the workers' roles must"), "\(plan.output)\(plan.errors)")
            let known = try await scenario.run(
                "plan", job, "--worker-database", "user=\(accounts.worker)",
                environment: ["PGUSER": accounts.coordinator])
            #expect(known.status == 0 && !known.output.contains("may not"), "\(known.errors)")
            let password = try await scenario.run("plan", job, "--worker-database", "user=x password=y")
            #expect(password.status == 2 && password.errors.contains("--worker-database"))
            try await drop(accounts, scenario)
        }
    }

    @Test func dryRunPrintsAScriptThatMakesTheSameLedger() async throws {
        try await Scenario.run { scenario in
            let shown = try await scenario.run("ledger", "install", "--roles", "--dry-run")
            #expect(shown.status == 0 && shown.output.hasPrefix("BEGIN;\n"), "\(shown.errors)")
            #expect(try await scenario.session.bool("SELECT to_regclass('coord.run') IS NULL"))
            try await scenario.session.with { try $0.execute(script: shown.output) }
            let after = try await scenario.run("ledger", "install", "--roles")
            #expect(
                after.status == 0 && after.output.hasPrefix("the ledger is there already\nroles: coord_coordinator"))
            #expect(try await scenario.run("ledger", "install").output == "the ledger is there already\n")
        }
    }
}
