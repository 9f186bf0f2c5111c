import Foundation
import Glibc
import Support
import Testing

/// Workers that a coordinator starts on other hosts over ssh, and ends. The other host is this one, behind an sshd.
@Suite struct HostsTests {
    private static let listen = ["--listen", "tcp://127.0.0.1:*"]

    private static func start(
        _ scenario: Scenario, _ job: String, _ hosts: String, workers: Int = 2, more: [String] = []
    ) throws -> LiveProcess {
        try scenario.start(
            TestServer.coord(), ["start", job, "--hosts", hosts, "--workers", "\(workers)"] + listen + more)
    }

    @Test func workersOfAllHostsDoTheRunAndNothingIsLeftOfThem() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 2_000)
            let gate = try await items.closeGate()
            let shell = try await SecureShell.start(scenario)
            let hosts = try shell.inventory(["db1", "db2"], more: "here: 1\n")
            let coordinator = try Self.start(scenario, try items.setJob(), hosts)
            try await gate.reached(by: 5)
            #expect(scenario.workers.count == 5 && shell.keepers.count == 2 && shell.clients.count == 2)
            // What anybody on the host can see says nothing but where the coordinator is.
            let server = scenario.server.host
            for pid in shell.clients + shell.keepers + scenario.workers {
                let words = LiveProcess.commandLine(of: pid)
                #expect(!words.contains { $0.contains(server) || $0.contains(scenario.server.user + " ") }, "\(words)")
            }
            await gate.open()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(ended.errors.contains("workers: 1 here, 2 on db1, 2 on db2"))
            for host in ["db1", "db2"] { #expect(ended.errors.contains("host \(host): 2 workers started")) }
            #expect(try await items.violations(run: 1) == [])
            #expect(scenario.workers.isEmpty && shell.keepers.isEmpty && shell.clients.isEmpty)
        }
    }

    @Test func farWorkersEndThoughTheirCoordinatorWasKilled() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 20_000, pace: 0.02)
            let shell = try await SecureShell.start(scenario)
            let hosts = try shell.inventory()
            let job = try items.setJob()
            let coordinator = try Self.start(scenario, job, hosts)
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            coordinator.send(SIGKILL)
            #expect(try await coordinator.ended().status == 128 + SIGKILL)
            try await eventually("nothing is left on either host", within: .seconds(20)) {
                scenario.workers.isEmpty && shell.keepers.isEmpty && shell.clients.isEmpty
            }
            // They drained: each gave its lease back, though nobody took it any more.
            #expect(try await scenario.rowsDone(run) < 20_000)
            let resumed = try await scenario.start(
                TestServer.coord(), ["resume", "\(run)", "--hosts", hosts, "--workers", "2"] + Self.listen
            ).ended()
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    @Test func hostIsTriedAgainWhenSSHBreaksAndTheRunCompletes() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 10_000, pace: 0.02)
            let shell = try await SecureShell.start(scenario)
            // Somebody holds a row, so that the run cannot be over before.
            let holder = scenario.connect()
            try await holder.execute("BEGIN", "SELECT FROM items WHERE id = 10000 FOR UPDATE")
            let coordinator = try Self.start(scenario, try items.setJob(), try shell.inventory())
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            let before = Set(scenario.workers)
            for client in shell.clients { kill(client, SIGKILL) }
            try await eventually("it says so, and starts others") {
                coordinator.errors.components(separatedBy: "host db1: 2 workers started").count == 3
            }
            try await eventually("those before have left", within: .seconds(20)) {
                before.isDisjoint(with: scenario.workers)
            }
            await holder.close()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(
                ended.errors.contains("host db1: ssh has ended (killed by signal 9); tried again in 1 s"),
                "\(ended.errors)")
            #expect(try await items.violations(run: run) == [])
            #expect(scenario.workers.isEmpty && shell.keepers.isEmpty)
        }
    }

    enum Obstacle: Sendable, CaseIterable {
        case unknownKey, noCoord, nobodyThere

        var reason: String {
            switch self {
            case .unknownKey: "host db1: Host key verification failed: its key is not known"
            case .noCoord: "host db1: there is no coord at /nowhere/coord: install it there"
            case .nobodyThere: "host db1: ssh: connect to host 127.0.0.1 port 9: Connection refused; tried again in 1 s"
            }
        }
    }

    @Test(arguments: Obstacle.allCases) func runGoesOnWithoutAHostThatCannotBeUsed(obstacle: Obstacle) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000, pace: 0.05)
            let gate = try await items.closeGate()
            let shell = try await SecureShell.start(scenario)
            var hosts = try shell.inventory(
                path: obstacle == .noCoord ? "/nowhere/coord" : nil, knowsHost: obstacle != .unknownKey,
                more: "here: 1\n")
            if obstacle == .nobodyThere {
                let text = try String(contentsOfFile: hosts, encoding: .utf8)
                hosts = try scenario.write(text.replacing("port: \(shell.port)", with: "port: 9"), to: "others.yaml")
            }
            let coordinator = try Self.start(scenario, try items.setJob(), hosts, more: ["--json"])
            // The reason is there as an event, and as a condition until the host is back.
            try await eventually("it says why") {
                coordinator.output.contains("\"host_lost\"") && coordinator.output.contains("\"host_away\"")
            }
            let lines = try JSON.lines(coordinator.output)
            let lost = try #require(lines.first { $0["message_type"].string == "host_lost" })
            #expect(lost["host"].string == "db1")
            let text = "host db1: \(lost["reason"].string ?? ""); tried again in \(lost["retry_seconds"].int ?? 0) s"
            #expect(text.contains(obstacle.reason), "\(text)")
            await gate.open()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: 1) == [])
        }
    }

    @Test func drainLeavesNobodyAndTheRunIsResumedOverSSH() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 20_000, pace: 0.02)
            let shell = try await SecureShell.start(scenario)
            let hosts = try shell.inventory()
            let coordinator = try Self.start(scenario, try items.setJob(), hosts)
            let run = try await scenario.newestRun()
            try await eventually("some rows are done") { try await scenario.rowsDone(run) > 0 }
            coordinator.send(SIGINT)
            let ended = try await coordinator.ended(within: .seconds(20))
            #expect(ended.status == 130, "\(ended.errors)")
            #expect(try await scenario.state(of: run) == "paused")
            #expect(scenario.workers.isEmpty && shell.keepers.isEmpty && shell.clients.isEmpty)
            let released = try await scenario.session.int(
                "SELECT count(*) FROM coord.attempt WHERE outcome = 'released'")
            #expect(released >= 1)
            let resumed = try await scenario.start(
                TestServer.coord(), ["resume", "\(run)", "--hosts", hosts, "--workers", "2"] + Self.listen
            ).ended()
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try await items.violations(run: run) == [])
        }
    }

    @Test func secondInterruptKillsFarWorkersInTheMiddleOfABatch() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 200)
            let gate = try await items.closeGate()
            let shell = try await SecureShell.start(scenario)
            let coordinator = try Self.start(scenario, try items.setJob(), try shell.inventory())
            try await gate.reached(by: 2)
            coordinator.send(SIGINT)
            try await eventually("it drains") { coordinator.errors.contains("draining") }
            coordinator.send(SIGINT)
            let ended = try await coordinator.ended(within: .seconds(10))
            #expect(ended.status == 130, "\(ended.errors)")
            #expect(scenario.workers.isEmpty && shell.keepers.isEmpty && shell.clients.isEmpty)
            await gate.open()
        }
    }

    @Test func fileOfHostsThatIsWrongIsRefusedWithItsLineAndNothingIsStarted() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 10)
            let hosts = try scenario.write("hosts:\n  db1:\n    adress: x\n    port: many\n", to: "hosts.yaml")
            let ended = try await Self.start(scenario, try items.setJob(), hosts).ended()
            #expect(ended.status == 2)
            #expect(
                ended.errors.contains("hosts.yaml:3:5: unknown key 'adress' in 'hosts.db1' (did you mean 'address'?)"))
            #expect(ended.errors.contains("hosts.yaml:4:11: 'hosts.db1.port': 'many' is not a whole number"))
            #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
        }
    }
}
