import Glibc
import Testing

/// A coordinator with a low limit of open files, and foreign connections that would use them all up.
@Suite struct DescriptorTests {
    @Test(arguments: ["ipc", "tcp"])
    func floodOfConnectionsLeavesTheCoordinatorAndItsWorkersAlive(kind: String) async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 400)
            let gate = try await items.closeGate()
            let port = try Flood.freePort()
            let endpoint = kind == "ipc" ? "ipc://\(scenario.folder)/join" : "tcp://127.0.0.1:\(port)"
            let coordinator = try Self.start(
                scenario, files: 96, "start", try items.setJob(), "--workers", "2", "--listen", endpoint)
            try await gate.reached(by: 2)
            let flood = Flood(kind == "ipc" ? .path("\(scenario.folder)/join") : .port(port), connections: 300)
            try await eventually("connections are refused") { coordinator.errors.contains("connections were refused") }
            // The replacement of the killed worker connects during the flood.
            let victim = try await first("there is a worker") { scenario.workers.first }
            kill(victim, SIGKILL)
            try await eventually("it was replaced") { scenario.workers.filter { $0 != victim }.count == 2 }
            await gate.open()
            let ended = try await coordinator.ended()
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await items.violations(run: try await scenario.newestRun()) == [])
            flood.end()
        }
    }

    @Test func workersThatCannotFitAreRefusedBeforeAnythingIsWritten() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 10)
            let refused = try await Self.start(
                scenario, files: 96, "start", try items.setJob(), "--workers", "512"
            ).ended()
            #expect(refused.status == 1)
            #expect(refused.errors.contains("512 workers need 1587 open files"), "\(refused.errors)")
            #expect(refused.errors.contains("--workers 15"))
            #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
        }
    }

    @Test func secondCoordinatorOnALivingPathIsRefusedAndTheFirstGoesOn() async throws {
        try await Scenario.run { scenario in
            let items = try await Items.make(scenario, rows: 100)
            let gate = try await items.closeGate()
            let endpoint = "ipc://\(scenario.folder)/join"
            let job = try items.setJob()
            let living = try scenario.coord("start", job, "--workers", "1", "--listen", endpoint)
            try await gate.reached()
            let second = try await scenario.run("start", job, "--workers", "1", "--listen", endpoint)
            #expect(second.status == 2)
            #expect(second.errors.contains("another coordinator listens there"), "\(second.errors)")
            await gate.open()
            let ended = try await living.ended()
            #expect(ended.status == 0, "\(ended.errors)")
        }
    }

    private static func start(_ scenario: Scenario, files: Int, _ arguments: String...) throws -> LiveProcess {
        try scenario.start(
            "bash", ["-c", "ulimit -n \(files); exec \"$0\" \"$@\"", TestServer.coord()] + arguments)
    }
}

/// Holds connections open that say nothing, and replaces each that the coordinator cuts.
private final class Flood: Sendable {
    enum Target: Sendable {
        case path(String)
        case port(UInt16)
    }

    private let task: Task<Void, Never>

    init(_ target: Target, connections: Int) {
        task = Task {
            var held: [Int32] = []
            while !Task.isCancelled {
                // The coordinator has cut the oldest connections, or cuts them when the next ones come.
                if held.count >= connections { for descriptor in held.prefix(100) { close(descriptor) } }
                if held.count >= connections { held.removeFirst(100) }
                for _ in 0..<100 {
                    let descriptor = Self.connect(target)
                    if descriptor >= 0 { held.append(descriptor) }
                }
                do { try await Task.sleep(for: .milliseconds(20)) } catch { break }
            }
            for descriptor in held { close(descriptor) }
        }
    }

    func end() { task.cancel() }

    static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(descriptor, $0, length)
                _ = getsockname(descriptor, $0, &length)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        address.sin_port = port.bigEndian
        return address
    }

    private static func connect(_ target: Target) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor: Int32
        switch target {
        case .port(let port):
            descriptor = socket(AF_INET, kind, 0)
            var address = loopback(port)
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        case .path(let path):
            descriptor = socket(AF_UNIX, kind, 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
        return descriptor
    }
}
