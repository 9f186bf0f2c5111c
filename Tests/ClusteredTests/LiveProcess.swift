import Foundation
import Glibc
import Host
import Synchronization

/// A program that a test started. Its output goes to files, so that no pipe can fill up.
final class LiveProcess: Sendable {
    /// How a program ended.
    struct Ended: Sendable {
        /// The exit status, or 128 plus the signal's number.
        var status: Int32
        var output: String
        var errors: String
    }

    /// Makes programs receive SIGHUP even if the tests were started with nohup: a child inherits an ignored signal, but
    /// not a handled one.
    private static let handlesHangup: Void = { signal(SIGHUP) { _ in } }()

    let pid: pid_t
    private let outputPath: String
    private let errorPath: String
    private let status = Mutex<Int32?>(nil)

    init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], output: String, errors: String
    ) throws {
        Self.handlesHangup
        outputPath = output
        errorPath = errors
        let nothing = open("/dev/null", O_RDONLY | O_CLOEXEC)
        let out = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        let err = open(errors, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { for descriptor in [nothing, out, err] { close(descriptor) } }
        pid = try ChildProcess.spawn(
            program, arguments: arguments, environment: environment, streams: (nothing, out, err))
    }

    /// Starts a program on a terminal, which gets its output.
    init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], terminal: PseudoTerminal
    ) throws {
        Self.handlesHangup
        outputPath = ""
        errorPath = ""
        let slave = terminal.slave
        pid = try ChildProcess.spawn(
            program, arguments: arguments, environment: environment, streams: (slave, slave, slave))
    }

    var output: String { Self.contents(outputPath) }
    var errors: String { Self.contents(errorPath) }

    private static func contents(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// The exit status, or nil while the program runs.
    var exitStatus: Int32? {
        status.withLock { known in
            if let known { return known }
            var raw: Int32 = 0
            guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
            let signal = raw & 0x7F
            known = signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
            return known
        }
    }

    /// Sends a signal, unless the program has ended: its pid may then belong to another process.
    func send(_ signal: Int32) {
        if exitStatus == nil { kill(pid, signal) }
    }

    func ended(within limit: Duration = .seconds(60)) async throws -> Ended {
        let status: Int32
        do {
            status = try await first("process \(pid) has ended", within: limit) { self.exitStatus }
        } catch {
            throw Stuck(output: output.suffix(2000) + "\n" + errors.suffix(2000))
        }
        return Ended(status: status, output: output, errors: errors)
    }

    struct Stuck: Error, CustomStringConvertible {
        var output: String
        var description: String { "a process did not end; it said:\n\(output)" }
    }
}

// MARK: - Processes of this machine

extension LiveProcess {
    static var all: [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }
    }

    /// The processes whose environment contains `entry`, such as `NAME=value`.
    static func pids(withEnvironment entry: String) -> [pid_t] {
        all.filter { pid in
            // A process that has ended in the meantime has no such file.
            guard let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") else { return false }
            return environment.split(separator: 0).contains { $0.elementsEqual(entry.utf8) }
        }.sorted()
    }

    static func commandLine(of pid: pid_t) -> [String] {
        (FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()).split(separator: 0).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// The state as one letter, such as R, S, T for stopped or Z for zombie; nil when there is no such process.
    static func state(of pid: pid_t) -> Character? {
        let text = contents("/proc/\(pid)/stat")
        // The program's name stands in parentheses, and may contain any character.
        guard let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].first { $0 != " " }
    }

    static func isZombie(_ pid: pid_t) -> Bool { state(of: pid) == "Z" }
}
