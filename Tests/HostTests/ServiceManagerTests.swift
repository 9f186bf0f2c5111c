import Foundation
import Glibc
import Testing

@testable import Host

/// What a service manager such as systemd gets over its socket.
@Suite struct ServiceManagerTests {
    /// A socket as a manager has it.
    private struct Ear {
        let descriptor: Int32
        let address: String

        init(_ address: String) throws {
            self.address = address
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            var place = sockaddr_un()
            place.sun_family = sa_family_t(AF_UNIX)
            var name = Array(address.utf8)
            if name[0] == UInt8(ascii: "@") { name[0] = 0 }
            withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: name) }
            let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
            let status = withUnsafePointer(to: &place) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
            }
            try #require(status == 0)
        }

        func heard() -> [String] {
            var texts: [String] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
                texts.append(String(decoding: buffer[..<count], as: UTF8.self))
            }
            return texts
        }

        func end() {
            close(descriptor)
            unlink(address)
        }
    }

    private static func anyName() -> String { "coord-notify-\(UInt64.random(in: 0 ... .max))" }

    @Test(arguments: [true, false]) func itHearsEachWordAsADatagram(isFile: Bool) throws {
        let ear = try Ear((isFile ? "/tmp/" : "@") + Self.anyName())
        defer { ear.end() }
        let manager = try #require(ServiceManager { ["NOTIFY_SOCKET": ear.address][$0] })
        manager.ready()
        manager.status("two\nlines \u{1B}[2J")
        manager.feed()
        manager.stopping()
        #expect(ear.heard() == ["READY=1", "STATUS=two; lines \\u{1b}[2J", "WATCHDOG=1", "STOPPING=1"])
    }

    @Test func aManagerThatIsGoneOrFullHoldsNobodyUp() throws {
        let address = "/tmp/" + Self.anyName()
        let manager = try #require(ServiceManager { ["NOTIFY_SOCKET": address][$0] })
        manager.ready()
        let ear = try Ear(address)
        defer { ear.end() }
        for _ in 0..<10_000 { manager.feed() }
        #expect(!ear.heard().isEmpty)
    }

    @Test func theWatchdogIsForTheProcessThatItNames() {
        func watchdog(_ variables: [String: String]) -> Duration? {
            ServiceManager { variables.merging(["NOTIFY_SOCKET": "/run/x"]) { $1 }[$0] }?.watchdog
        }
        #expect(watchdog([:]) == nil)
        #expect(watchdog(["WATCHDOG_USEC": "3000000"]) == .seconds(3))
        #expect(watchdog(["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "\(getpid())"]) == .seconds(3))
        #expect(watchdog(["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"]) == nil)
        #expect(watchdog(["WATCHDOG_USEC": "0"]) == nil)
    }

    @Test(arguments: [nil, "", "@", "relative", "vsock:2:1234"]) func otherPlacesAreNone(address: String?) {
        #expect(ServiceManager { $0 == "NOTIFY_SOCKET" ? address : nil } == nil)
    }
}
