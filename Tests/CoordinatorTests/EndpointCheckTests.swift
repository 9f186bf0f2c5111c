import Foundation
import Glibc
import Support
import Testing

@testable import Coordinator

/// What may already be at the place where a coordinator wants to listen.
@Suite struct EndpointCheckTests {
    private let folder: String

    init() throws {
        folder = "\(ScratchFolder.path)/coord-endpoint-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    }

    /// The reason why the endpoint is refused; nil when it is accepted.
    private func refusal(_ endpoint: String) -> String? {
        do { try Endpoint.check(endpoint) } catch { return "\(error)" }
        return nil
    }

    /// A descriptor that listens at the path.
    private func listen(at path: String) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                #expect(bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0)
            }
        }
        #expect(Glibc.listen(descriptor, 1) == 0)
        return descriptor
    }

    @Test func livingSocketIsAnothersAndADeadOneIsTaken() throws {
        let path = "\(folder)/run"
        let living = listen(at: path)
        #expect(refusal("ipc://\(path)")?.contains("another coordinator listens there") == true)
        close(living)
        #expect(refusal("ipc://\(path)") == nil)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func fileOfSomebodysIsNotReplaced() throws {
        let path = "\(folder)/thesis.txt"
        try "years of work".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(refusal("ipc://\(path)")?.contains("a file that is no socket") == true)
        #expect(refusal("ipc://\(folder)")?.contains("a file that is no socket") == true)
        // A link to the file does not help.
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/link", withDestinationPath: path)
        #expect(refusal("ipc://\(folder)/link") != nil)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func pathThatCannotBeIsToldBeforehand() throws {
        #expect(refusal("ipc://\(folder)/missing/run")?.contains("No such file") == true)
        let long = "\(folder)/" + String(repeating: "x", count: 107 - folder.utf8.count - 1)
        #expect(refusal("ipc://\(long)") == nil)
        #expect(refusal("ipc://\(long)x")?.contains("108 bytes") == true)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test(arguments: ["ipc://@coord-test-name", "ipc://*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:0"])
    func namesThatNobodyCanHaveAreFree(_ endpoint: String) { #expect(refusal(endpoint) == nil) }

    @Test func portThatSomebodyListensOnIsAnothers() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                #expect(bind(descriptor, $0, length) == 0 && Glibc.listen(descriptor, 1) == 0)
                #expect(getsockname(descriptor, $0, &length) == 0)
            }
        }
        let endpoint = "tcp://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
        #expect(refusal(endpoint)?.contains("another process listens there") == true)
        close(descriptor)
        #expect(refusal(endpoint) == nil)
    }

    @Test func privateFolderIsMadeWhereOneCanBe() throws {
        let long = "/tmp/" + String(repeating: "x", count: 100)
        let made = try Endpoint.makePrivateFolder(in: [long, "/proc", folder])
        #expect(made.hasPrefix("\(folder)/coord-"))
        var status = stat()
        #expect(stat(made, &status) == 0 && status.st_mode & 0o777 == 0o700)
        let error = #expect(throws: CoordinatorError.self) { try Endpoint.makePrivateFolder(in: [long, "/proc"]) }
        #expect(error?.description.contains("TMPDIR") == true)
        #expect(error?.description.contains("/proc") == true && error?.description.contains("bytes") == true)
        try FileManager.default.removeItem(atPath: folder)
    }
}
