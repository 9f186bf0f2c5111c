import Foundation
import Glibc
import Sharding
import Testing
import Wire

/// Workers that are known by their keys, as those of other hosts are.
@Suite struct KeyedWorkerTests {
    @Test func workersWithKnownKeysDoTheRunAndNobodyElseSeesTheirSecrets() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000)
            let gate = try await items.closeGate()
            let keys = Keyring(scenario: scenario)
            let folder = try await keys.make("db1")
            let coordinator = try scenario.coord(
                "start", try items.setJob(), "--workers", "1", "--listen", "tcp://127.0.0.1:*", "--keys",
                keys.coordinator,
                "--verbose")
            let endpoint = try await coordinator.endpoint()
            // Nobody is at the first of the addresses.
            let worker = try scenario.coord(
                "worker", "--connect", "tcp://127.0.0.1:9,\(endpoint)", "--keys", folder, "--verbose")
            let run = try await scenario.newestRun()
            try await gate.reached(by: 2)
            let secrets = try keys.secrets()
            #expect(secrets.count == 2)
            var seen: [String] = []
            for pid in scenario.pids {
                seen.append(LiveProcess.commandLine(of: pid).joined(separator: " "))
                seen.append(
                    String(
                        decoding: FileManager.default.contents(atPath: "/proc/\(pid)/environ") ?? Data(), as: UTF8.self)
                )
            }
            await gate.open()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            let left = try await worker.ended(within: .seconds(10))
            #expect(left.status == 0, "\(left.errors)")
            #expect(try await items.violations(run: run) == [])
            seen += [ended.output, ended.errors, left.output, left.errors]
            for table in ["run", "shard", "attempt", "event", "worker"] {
                seen.append(
                    try await scenario.session.text("SELECT string_agg(t::text, ' ') FROM coord.\(table) AS t") ?? "")
            }
            // What is looked through has what it should have.
            #expect(seen.contains { $0.contains(folder) } && seen.contains { $0.contains("tcp://127.0.0.1:9") })
            for secret in secrets { #expect(seen.allSatisfy { !$0.contains(secret) }) }
        }
    }

    @Test func workerWithAnUnknownKeyIsToldSoAndJoinsOnceItIsAllowed() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let (keys, others) = (Keyring(scenario: scenario), "\(scenario.folder)/others")
            try await keys.make("db1")
            let coordinator = try scenario.coord(
                "start", try items.setJob(), "--workers", "0", "--listen", "tcp://127.0.0.1:*", "--keys",
                keys.coordinator)
            let endpoint = try await coordinator.endpoint()
            // A pair that another host has made, with the right coordinator's key.
            try FileManager.default.createDirectory(atPath: others, withIntermediateDirectories: false)
            try FileManager.default.copyItem(
                atPath: "\(keys.coordinator)/coordinator.pub", toPath: "\(others)/coordinator.pub")
            #expect(try await scenario.run("keys", "new", "db9", "--keys", others).status == 0)
            let stranger = try await scenario.run("worker", "--connect", endpoint, "--keys", others, "--json")
            #expect(stranger.status == 4)
            #expect(stranger.errors.contains("\(endpoint) does not allow this worker's key"), "\(stranger.errors)")
            let summary = try #require(try JSON.lines(stranger.output).last)
            #expect(summary["ended"].string == "unauthorized")
            try await eventually("the coordinator says so too") {
                coordinator.errors.contains("a worker from 127.0.0.1 was refused: its key")
            }
            #expect(try await scenario.session.int("SELECT count(*) FROM coord.attempt") == 0)
            // Allowed by a copy of its public key, while the coordinator is at work.
            try FileManager.default.copyItem(
                atPath: "\(others)/allowed/db9.pub", toPath: "\(keys.coordinator)/allowed/db9.pub")
            let worker = try scenario.coord("worker", "--connect", endpoint, "--keys", others)
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await worker.ended(within: .seconds(10)).status == 0)
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
        }
    }

    @Test func revokedWorkerIsCutOffAndTheOthersFinishTheRun() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 16_000, pace: 0.05)
            let keys = Keyring(scenario: scenario)
            let (bad, good) = (try await keys.make("db1"), try await keys.make("db2"))
            let coordinator = try scenario.coord(
                "start", try items.setJob(), "--workers", "0", "--listen", "tcp://127.0.0.1:*", "--keys",
                keys.coordinator)
            let endpoint = try await coordinator.endpoint()
            let revoked = try scenario.coord("worker", "--connect", endpoint, "--keys", bad)
            let run = try await scenario.newestRun()
            // While it is the only one, all leases are its own.
            let owner = try await first("it works") {
                try await scenario.session.text(
                    "SELECT owner FROM coord.shard WHERE state = 'running' AND sequence > 1")
            }
            let other = try scenario.coord("worker", "--connect", endpoint, "--keys", good)
            try await eventually("the other works too") {
                try await scenario.session.int("SELECT count(*) FROM coord.shard WHERE state = 'running'") == 2
            }
            #expect(try await scenario.run("keys", "revoke", "db1", "--keys", keys.coordinator).status == 0)
            let asked = ContinuousClock.now
            try await eventually("it has no lease", within: .seconds(5)) {
                try await scenario.session.int(
                    "SELECT count(*) FROM coord.shard WHERE owner = '\(owner)' AND state <> 'done'")
                    == 0
            }
            let left = try await revoked.ended(within: .seconds(5) - (ContinuousClock.now - asked))
            #expect(left.status == 1)
            #expect(left.errors.contains("its key was revoked"), "\(left.errors)")
            #expect(coordinator.errors.contains("is cut off, its shard goes to another: its key db1 was revoked"))
            // It may not come back.
            let again = try await scenario.run("worker", "--connect", endpoint, "--keys", bad)
            #expect(again.status == 4, "\(again.errors)")
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await other.ended(within: .seconds(10)).status == 0)
            #expect(try await items.violations(run: run) == [])
            let events = try await scenario.session.int(
                "SELECT count(*) FROM coord.event WHERE kind = 'lease_released' AND detail::text LIKE '%db1 was revoked%'"
            )
            #expect(events == 1)
        }
    }

    /// A worker with a key of its own says, in another's name, that no shard can go on.
    @Test func wordOfAnothersNameIsNotTaken() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 1_000)
            let gate = try await items.closeGate()
            let keys = Keyring(scenario: scenario)
            let folder = try await keys.make("db1")
            try await keys.make("db2")
            let coordinator = try scenario.coord(
                "start", try items.setJob(), "--workers", "0", "--listen", "tcp://127.0.0.1:*", "--keys",
                keys.coordinator)
            let endpoint = try await coordinator.endpoint()
            let worker = try scenario.coord("worker", "--connect", endpoint, "--keys", folder)
            try await gate.reached()
            let name = try #require(
                try await scenario.session.text("SELECT owner FROM coord.shard WHERE state = 'running'"))
            let forger = KeyedPeer()
            try await forger.connect(
                to: endpoint, as: try keys.pair("db2"), server: try keys.coordinatorsKey())
            let forged = WorkerMessage.shardFailed(
                ShardFailure(lease: Lease(shard: ShardID(0), epoch: Epoch(1)), error: "forged", scope: .run))
            let frame = try forged.encoded(by: WorkerID(name))
            let answer = try await first("the coordinator answers") {
                // Nothing leaves before the connection stands.
                try? await forger.send(frame)
                return try await forger.receive()
            }
            guard case .refused(let refusal) = answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(refusal.reason == "its id belongs to another key")
            #expect(coordinator.errors.contains("a worker with db2 claims to be worker \(name)"))
            await forger.close()
            await gate.open()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(!ended.errors.contains("forged"))
            #expect(try await worker.ended(within: .seconds(10)).status == 0)
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
        }
    }

    @Test func secretThatOthersCouldReadIsUsedByNobody() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 10)
            let keys = Keyring(scenario: scenario)
            let folder = try await keys.make("db1")
            for (file, arguments) in [
                ("\(folder)/db1.key", ["worker", "--connect", "tcp://127.0.0.1:9", "--keys", folder]),
                (
                    "\(keys.coordinator)/coordinator.key",
                    ["start", try items.setJob(), "--listen", "tcp://127.0.0.1:*", "--keys", keys.coordinator]
                ),
            ] {
                #expect(chmod(file, 0o640) == 0)
                let ended = try await scenario.start(TestServer.coord(), arguments).ended()
                #expect(ended.status == 4)
                #expect(ended.errors.contains("chmod 600 \(file)"), "\(ended.errors)")
            }
            #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
        }
    }

    @Test func allAddressesOfAHostAreListenedOnWithKeysOnly() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let keys = Keyring(scenario: scenario)
            let job = try items.setJob()
            let bare = try await scenario.run(
                "start", job, "--workers", "0", "--listen", "tcp://*:*", environment: ["COORD_KEYS": keys.coordinator])
            #expect(bare.status == 2)
            #expect(bare.errors.contains("coord keys new NAME"), "\(bare.errors)")
            #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
            let folder = try await keys.make("db1")
            let coordinator = try scenario.coord(
                "start", job, "--workers", "0", "--listen", "tcp://*:*", environment: ["COORD_KEYS": keys.coordinator])
            let port = try #require(try await coordinator.endpoint().split(separator: ":").last)
            let worker = try scenario.coord(
                "worker", "--connect", "tcp://nobody.invalid:\(port),tcp://localhost:\(port)", "--secure",
                environment: ["COORD_KEYS": folder])
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await worker.ended(within: .seconds(10)).status == 0)
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
        }
    }

    @Test func workerThatExpectsAnotherCoordinatorSaysNothingToThisOne() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 10)
            let gate = try await items.closeGate()
            let keys = Keyring(scenario: scenario)
            let folder = try await keys.make("db1")
            let coordinator = try scenario.coord(
                "start", try items.setJob(), "--workers", "1", "--listen", "tcp://127.0.0.1:*", "--keys",
                keys.coordinator)
            let endpoint = try await coordinator.endpoint()
            try await gate.reached()
            let other = "\(scenario.folder)/other"
            #expect(try await scenario.run("keys", "new", "coordinator", "--keys", other).status == 0)
            try FileManager.default.removeItem(atPath: "\(folder)/coordinator.pub")
            try FileManager.default.copyItem(atPath: "\(other)/coordinator.pub", toPath: "\(folder)/coordinator.pub")
            let worker = try await scenario.run("worker", "--connect", endpoint, "--keys", folder)
            #expect(worker.status == 4)
            #expect(worker.errors.contains("another key than coordinator.pub"), "\(worker.errors)")
            let plain = try await scenario.run("worker", "--connect", endpoint, "--give-up-after", "4")
            #expect(plain.status == 1)
            #expect(plain.errors.contains("it demands keys, which --keys DIR names"), "\(plain.errors)")
            await gate.open()
            #expect(try await coordinator.ended().status == 0)
        }
    }
}
