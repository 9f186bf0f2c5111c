import Foundation
import Glibc
import Testing
import ZeroMQ

/// The folders of keys of a scenario: the coordinator's host's, and one a worker's host, filled as an operator does it.
struct Keyring {
    let scenario: Scenario
    var coordinator: String { "\(scenario.folder)/keys" }

    /// Makes a worker's key on the coordinator's host, and copies what the worker needs into a folder of its own.
    /// - Returns: the worker's folder.
    @discardableResult
    func make(_ name: String) async throws -> String {
        let made = try await scenario.run("keys", "new", name, "--keys", coordinator)
        #expect(made.status == 0, "\(made.errors)")
        let folder = "\(scenario.folder)/\(name)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        #expect(chmod(folder, 0o700) == 0)
        for file in ["\(name).key", "coordinator.pub"] {
            try FileManager.default.copyItem(atPath: "\(coordinator)/\(file)", toPath: "\(folder)/\(file)")
        }
        return folder
    }

    /// The pair of a worker's folder.
    func pair(_ name: String) throws -> CurveKeyPair {
        let text = try String(contentsOfFile: "\(scenario.folder)/\(name)/\(name).key", encoding: .utf8)
        let secret = text.split(separator: "\n").first { $0.hasPrefix("secret: ") }?.dropFirst("secret: ".count)
        return try #require(CurveKeyPair(secret: secret ?? ""))
    }

    func coordinatorsKey() throws -> CurvePublicKey {
        let text = try String(contentsOfFile: "\(coordinator)/coordinator.pub", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("public: ") }?.dropFirst("public: ".count)
        return try #require(CurvePublicKey(line ?? ""))
    }

    /// The secrets of all key files.
    func secrets() throws -> [String] {
        var found: Set<String> = []
        for path in FileManager.default.enumerator(atPath: scenario.folder) ?? .init() {
            guard let path = path as? String, path.hasSuffix(".key") else { continue }
            let text = try String(contentsOfFile: "\(scenario.folder)/\(path)", encoding: .utf8)
            for line in text.split(separator: "\n") where line.hasPrefix("secret: ") {
                found.insert(String(line.dropFirst("secret: ".count)))
            }
        }
        return found.sorted()
    }
}

extension LiveProcess {
    /// Where a coordinator says that workers may join.
    func endpoint() async throws -> String {
        try await first("it says where to join") {
            let head = "coord worker --connect "
            guard let start = self.errors.firstRange(of: head)?.upperBound else { return nil }
            let rest = self.errors[start...]
            guard let end = rest.firstIndex(where: \.isNewline) else { return nil }
            return String(rest[..<end])
        }
    }
}
