import Foundation
import Glibc
import Support
import Testing

/// What is left of a process that has a secret key and crashes.
@Suite struct CoreDumpTests {
    /// Whether this system writes a core dump into the folder of the process, for who may read the process at all.
    private static var isWrittenBeside: Bool {
        let pattern = (try? String(contentsOfFile: "/proc/sys/kernel/core_pattern", encoding: .utf8)) ?? ""
        return pattern.hasPrefix("core") && geteuid() == 0
    }

    /// Runs a program in a folder of its own, where a crash would leave its core.
    private static func start(_ scenario: Scenario, _ arguments: [String], in folder: String) throws -> LiveProcess {
        let place = "\(scenario.folder)/\(folder)"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        let script = "ulimit -c unlimited && cd '\(place)' && exec \"$@\""
        // Swift's own report of a crash would come first, and takes its time.
        return try scenario.start(
            "/bin/bash", ["-c", script, "bash"] + arguments, environment: ["SWIFT_BACKTRACE": "enable=no"])
    }

    private static func cores(_ scenario: Scenario, in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(scenario.folder)/\(folder)")) ?? []
        return names.filter { $0.hasPrefix("core") }
    }

    @Test(.enabled(if: isWrittenBeside)) func processWithASecretKeyLeavesNoCoreAndOneWithoutDoes() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let gate = try await items.closeGate()
            let keys = Keyring(scenario: scenario)
            let folder = try await keys.make("db1")
            let job = try items.setJob()
            let coord = try TestServer.coord()
            let coordinator = try Self.start(
                scenario,
                [coord, "start", job, "--workers", "0", "--listen", "tcp://127.0.0.1:*", "--keys", keys.coordinator],
                in: "a")
            let endpoint = try await coordinator.endpoint()
            let worker = try Self.start(
                scenario, [coord, "worker", "--connect", endpoint, "--keys", folder], in: "b")
            try await gate.reached()
            for process in [worker, coordinator] { process.send(SIGABRT) }
            _ = try await (worker.ended(), coordinator.ended())
            await gate.open()
            #expect(Self.cores(scenario, in: "a") == [] && Self.cores(scenario, in: "b") == [])
            // The same without keys, so that it is known that the system would have written one.
            let other = try Self.start(
                scenario, [coord, "worker", "--connect", "ipc://\(scenario.folder)/nobody", "--json"], in: "c")
            try await eventually("it is coord by now") { LiveProcess.commandLine(of: other.pid).first == coord }
            try await eventually("it crashes, with a core") {
                other.send(SIGABRT)
                return !Self.cores(scenario, in: "c").isEmpty
            }
        }
    }
}
