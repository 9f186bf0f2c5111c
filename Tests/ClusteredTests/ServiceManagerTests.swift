import Foundation
import Glibc
import Support
import Synchronization
import Testing

/// coord as a service, under a manager that is a socket here.
@Suite struct ServiceManagerTests {
    /// A manager's socket, and what has come through it.
    private final class Manager: Sendable {
        let path: String
        private let descriptor: Int32
        private let texts = Mutex<[String]>([])

        init(_ scenario: Scenario) throws {
            path = "\(scenario.folder)/notify"
            descriptor = socket(
                AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
            var place = sockaddr_un()
            place.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &place.sun_path) { [path] in $0.copyBytes(from: Array(path.utf8)) }
            let status = withUnsafePointer(to: &place) { [descriptor] pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(status == 0)
        }

        deinit { close(descriptor) }

        /// Everything so far.
        var heard: [String] {
            texts.withLock { texts in
                var buffer = [UInt8](repeating: 0, count: 4096)
                while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
                    texts.append(String(decoding: buffer[..<count], as: UTF8.self))
                }
                return texts
            }
        }

        func feedings() -> Int { heard.count { $0 == "WATCHDOG=1" } }
    }

    @Test func coordinatorSaysHowItGoesAndNoProcessThatItStartsCan() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let gate = try await items.closeGate()
            let manager = try Manager(scenario)
            let variables = ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "2000000"]
            let coordinator = try scenario.start(
                TestServer.coord(), ["start", try items.job(.rowBased), "--workers", "2"], environment: variables)
            try await gate.reached(by: 2)
            // Nothing commits, but it is known why.
            let before = manager.feedings()
            try await eventually("the watchdog is fed") { manager.feedings() >= before + 3 }
            let others = scenario.pids.filter { $0 != coordinator.pid }
            #expect(others.count >= 4, "workers, and a program of each")
            for pid in others {
                let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") ?? Data()
                let text = String(decoding: environment, as: UTF8.self)
                #expect(!text.contains("NOTIFY_SOCKET") && !text.contains("WATCHDOG_USEC"))
            }
            await gate.open()
            #expect(try await coordinator.ended().status == 0)
            let heard = manager.heard
            #expect(heard.first == "READY=1")
            #expect(heard.last == "STOPPING=1" && heard.count { $0 == "STOPPING=1" } == 1)
            #expect(heard.contains { $0.hasPrefix("STATUS=job run 1: ") && $0.contains("/ 400 rows") }, "\(heard)")
        }
    }

    @Test func frozenCoordinatorFeedsNoWatchdog() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let gate = try await items.closeGate()
            let manager = try Manager(scenario)
            let coordinator = try scenario.start(
                TestServer.coord(), ["start", try items.setJob(), "--workers", "1"],
                environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"])
            try await gate.reached()
            try await eventually("the watchdog is fed") { manager.feedings() > 0 }
            coordinator.send(SIGSTOP)
            try await eventually("it is frozen") { LiveProcess.state(of: coordinator.pid) == "T" }
            let before = manager.feedings()
            // Twice the watchdog's time: what is to be seen is that nothing comes.
            try await Task.sleep(for: .milliseconds(800))
            #expect(manager.feedings() == before)
            coordinator.send(SIGCONT)
            try await eventually("the watchdog is fed again") { manager.feedings() > before }
            await gate.open()
            #expect(try await coordinator.ended().status == 0)
        }
    }

    @Test func workerIsReadyBeforeItsCoordinatorAndSaysWhatItDoes() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let gate = try await items.closeGate()
            let manager = try Manager(scenario)
            let endpoint = "ipc://\(scenario.folder)/join"
            let worker = try scenario.start(
                TestServer.coord(), ["worker", "--connect", endpoint],
                environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "2000000"])
            try await eventually("it is ready") {
                manager.heard.starts(with: ["READY=1", "STATUS=looks for a coordinator at \(endpoint)"])
            }
            let coordinator = try scenario.coord("start", try items.setJob(), "--workers", "0", "--listen", endpoint)
            try await gate.reached()
            try await eventually("it says what it does") {
                manager.heard.contains { $0.hasPrefix("STATUS=works for run 1, applying") }
            }
            let before = manager.feedings()
            try await eventually("the watchdog is fed") { manager.feedings() >= before + 2 }
            await gate.open()
            #expect(try await coordinator.ended().status == 0)
            #expect(try await worker.ended().status == 0)
            #expect(manager.heard.last == "STOPPING=1")
        }
    }
}
