import Glibc
import Host

/// A compute program: a child process with pipes on its standard streams. It belongs to one thread.
final class CommandProcess {
    /// Bytes of standard error kept for an error's text.
    static let errorTail = 4096
    /// Lines of standard error quoted in an error.
    static let errorLines = 5
    /// Bytes asked of the kernel for each pipe, so that a batch fits and neither side waits for the other.
    static let pipeBytes: Int32 = 1 << 20
    /// F_SETPIPE_SZ of Linux's fcntl.h, which Swift's Glibc does not have.
    private static let setPipeSize: Int32 = 1031
    /// How long an error waits for a program that has closed its streams to end, in tries of 10 ms.
    private static let patience = 50

    let pid: pid_t
    let input: Int32
    let output: Int32
    private let errors: Int32
    private var tail: [UInt8] = []
    private var status: Int32?

    /// Starts a program without a shell.
    ///
    /// - Parameters:
    ///   - command: the program, found by `PATH` when it has no slash, and its arguments.
    ///   - directory: where it starts.
    ///   - environment: additions to this process's own.
    ///   - leash: coord's own program, by which the command is started so that it ends with this process; nil to start
    ///     it directly.
    init(command: [String], directory: String, environment: [String: String], leash: String?) throws(ComputeError) {
        guard access(directory, X_OK) == 0 else {
            throw ComputeError(
                description: "the job's folder \(directory) is not on host \(HostName.current): "
                    + String(cString: strerror(errno)))
        }
        let child: pid_t
        let (toProgram, fromProgram, complaints): (Pipe, Pipe, Pipe)
        do {
            (toProgram, fromProgram, complaints) = (try Pipe(), try Pipe(), try Pipe())
            defer { for end in [toProgram.readEnd, fromProgram.writeEnd, complaints.writeEnd] { close(end) } }
            do {
                let words = [Self.path(of: command[0], in: directory)] + command.dropFirst()
                let started = leash.map { [$0] + Leash.arguments(words) } ?? words
                child = try ChildProcess.spawn(
                    started[0], arguments: Array(started.dropFirst()),
                    environment: environment, directory: directory,
                    streams: (toProgram.readEnd, fromProgram.writeEnd, complaints.writeEnd))
            } catch {
                for end in [toProgram.writeEnd, fromProgram.readEnd, complaints.readEnd] { close(end) }
                throw error
            }
        } catch {
            throw ComputeError(description: "cannot start \(command[0]): \(error)")
        }
        pid = child
        input = toProgram.writeEnd
        output = fromProgram.readEnd
        errors = complaints.readEnd
        for descriptor in [input, output, errors] {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
        _ = fcntl(input, Self.setPipeSize, Self.pipeBytes)
        _ = fcntl(output, Self.setPipeSize, Self.pipeBytes)
    }

    deinit { end() }

    /// Kills the program with its children, and waits for it.
    func end() {
        guard status == nil else { return }
        kill(-pid, SIGKILL)
        reap(wait: true)
        for descriptor in [input, output, errors] { close(descriptor) }
    }

    // MARK: - Streams

    var errorDescriptor: Int32 { errors }

    /// Takes what the program wrote on standard error.
    func drainErrors() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(errors, &buffer, buffer.count)
            guard count > 0 else { return }
            tail.append(contentsOf: buffer[0..<count])
            if tail.count > Self.errorTail { tail.removeFirst(tail.count - Self.errorTail) }
        }
    }

    /// How the program ended and its last words, for an error's text.
    func epitaph(waiting: Bool) -> String {
        var tries = waiting ? Self.patience : 1
        while tries > 0, !reap(wait: false) {
            tries -= 1
            var pause = timespec(tv_sec: 0, tv_nsec: 10_000_000)
            if tries > 0 { nanosleep(&pause, nil) }
        }
        drainErrors()
        var parts: [String] = []
        if let status {
            parts.append(ChildProcess.describe(status: status))
        }
        if parts.isEmpty { parts.append("it still runs") }
        let lines = String(decoding: tail, as: UTF8.self).split(separator: "\n").suffix(Self.errorLines)
        if !lines.isEmpty { parts.append("its last lines on stderr:\n    " + lines.joined(separator: "\n    ")) }
        return parts.joined(separator: "; ")
    }

    /// - Returns: whether the program has ended.
    @discardableResult
    private func reap(wait: Bool) -> Bool {
        guard status == nil else { return true }
        var result: Int32 = 0
        if waitpid(pid, &result, wait ? 0 : WNOHANG) == pid {
            status = result
            // Children that it left behind would keep the pipes open.
            kill(-pid, SIGKILL)
        }
        return status != nil
    }

    // MARK: - Starting

    /// Whether the command can be started on this host, and if not, why.
    static func fault(of command: [String], in directory: String) -> String? {
        let program = path(of: command[0], in: directory)
        if program.contains("/") {
            if access(program, X_OK) == 0 { return nil }
            return "\(program): \(String(cString: strerror(errno)))"
        }
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        if path.split(separator: ":").contains(where: { access("\($0)/\(program)", X_OK) == 0 }) { return nil }
        return "\(program) is not in PATH"
    }

    /// A relative path is meant from the job's folder, where the program starts.
    private static func path(of program: String, in directory: String) -> String {
        program.contains("/") && !program.hasPrefix("/") ? "\(directory)/\(program)" : program
    }
}

/// The question whether a job's command can be started here, for the preflight.
public enum CommandCheck {
    /// - Returns: why not, or nil when it can.
    public static func fault(of command: [String], in directory: String) -> String? {
        CommandProcess.fault(of: command, in: directory)
    }
}
