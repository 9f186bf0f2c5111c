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
    /// How long an error waits for the end of a program that has closed its streams.
    private static let patience = Duration.milliseconds(500)
    /// The pause between two looks during that wait.
    private static let lookInterval = Duration.milliseconds(10)

    let pid: pid_t
    private let input: Int32
    private let output: Int32
    private let errors: Int32
    private var tail: [UInt8] = []
    private var status: Int32?
    private var closed = false
    /// Files that the program's environment names. They are removed with this object.
    private var files: [PrivateFile]
    private let memory: ProgramMemory
    /// The buffer of one read.
    private let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)

    /// Starts a program without a shell.
    ///
    /// - Parameters:
    ///   - command: the program, found by `PATH` when it has no slash, and its arguments.
    ///   - directory: the folder in which the program starts.
    ///   - environment: variables that are added to this process's environment.
    ///   - files: the files that the environment names, kept as long as the program runs.
    ///   - memory: follows the program as long as it runs.
    ///   - leash: coord's own executable, for a self-exec that makes the command end with this process; nil to start
    ///     the command directly.
    init(
        command: [String], directory: String, environment: [String: String], files: [PrivateFile],
        memory: ProgramMemory, leash: String?
    ) throws(ComputeError) {
        self.files = files
        self.memory = memory
        guard access(directory, X_OK) == 0 else {
            throw ComputeError(
                description: "the job's folder \(directory) is not on host \(HostName.current): "
                    + String(cString: strerror(errno)))
        }
        let child: pid_t
        let (toProgram, fromProgram, complaints): (Pipe, Pipe, Pipe)
        do {
            (toProgram, fromProgram, complaints) = try Self.pipes()
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
        memory.follow(child)
        input = toProgram.writeEnd
        output = fromProgram.readEnd
        errors = complaints.readEnd
        for descriptor in [input, output, errors] {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
        _ = fcntl(input, Self.setPipeSize, Self.pipeBytes)
        _ = fcntl(output, Self.setPipeSize, Self.pipeBytes)
    }

    deinit {
        end()
        chunk.deallocate()
    }

    /// Kills the program with its children, unless it has ended, and waits for it. Its streams cannot be used any more.
    func end() {
        if status == nil {
            kill(-pid, SIGKILL)
            reap(wait: true)
        }
        // Close the streams also after an end that was already reaped.
        guard !closed else { return }
        closed = true
        for descriptor in [input, output, errors] { close(descriptor) }
        files.removeAll()
    }

    /// Makes three pipes, or none.
    private static func pipes() throws(ChildProcessError) -> (Pipe, Pipe, Pipe) {
        var made: [Pipe] = []
        do {
            for _ in 0..<3 { made.append(try Pipe()) }
        } catch {
            for pipe in made {
                close(pipe.readEnd)
                close(pipe.writeEnd)
            }
            throw error
        }
        return (made[0], made[1], made[2])
    }

    // MARK: - Streams

    /// Writes as much of `bytes` as the pipe takes.
    /// - Returns: the number of bytes written so far; nil when the program has closed its input.
    func send(_ bytes: [UInt8], from sent: Int) -> Int? {
        var sent = sent
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { write(input, $0.baseAddress.map { $0 + sent }, $0.count - sent) }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN {
                break
            } else if errno != EINTR {
                return nil
            }
        }
        return sent
    }

    /// Waits until the program writes, or, with `sending`, until it takes more input.
    func wait(sending: Bool, milliseconds: Double) {
        var polls = [
            pollfd(fd: output, events: Int16(POLLIN), revents: 0),
            pollfd(fd: errors, events: Int16(POLLIN), revents: 0),
            pollfd(fd: sending ? input : -1, events: Int16(POLLOUT), revents: 0),
        ]
        // After its end, standard error is left out: it would make every poll return at once.
        _ = poll(&polls, 3, Int32(milliseconds))
        if polls[1].revents & Int16(POLLHUP) != 0, polls[0].revents == 0, polls[2].revents == 0 {
            polls[1].fd = -1
            _ = poll(&polls, 3, Int32(min(milliseconds, 100)))
        }
    }

    /// Appends the program's output, until there are more than `limit` bytes.
    /// - Returns: whether the output has ended.
    func receive(_ bytes: inout [UInt8], limit: Int) -> Bool {
        while bytes.count <= limit {
            let count = read(output, chunk.baseAddress, chunk.count)
            let error = errno
            if count > 0 { bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count])) }
            if count == 0 { return true }
            if count < 0 { return error != EAGAIN && error != EINTR }
            if count < chunk.count { return false }
        }
        return false
    }

    /// Takes the program's standard error.
    func drainErrors() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(errors, &buffer, buffer.count)
            guard count > 0 else { return }
            tail.append(contentsOf: buffer[0..<count])
            if tail.count > Self.errorTail { tail.removeFirst(tail.count - Self.errorTail) }
        }
    }

    /// The program's end and its last words, for an error's text.
    ///
    /// - Parameters:
    ///   - waiting: whether the program is about to end, so that a short wait is worthwhile.
    ///   - saysRunning: whether to say that the program still runs. The text is empty when there is nothing to tell.
    func epitaph(waiting: Bool, saysRunning: Bool = true) -> String {
        var tries = waiting ? Int(Self.patience / Self.lookInterval) : 1
        while tries > 0, !reap(wait: false) {
            tries -= 1
            if tries > 0 { MonotonicTime.pause(for: Self.lookInterval) }
        }
        drainErrors()
        var parts: [String] = []
        if let ending {
            parts.append(ending)
        } else if saysRunning {
            parts.append("it still runs")
        }
        let lines = String(decoding: tail, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(Self.errorLines)
        if !lines.isEmpty {
            let shown = lines.map { String($0).withVisibleControls }
            parts.append("its last lines on stderr:\n    " + shown.joined(separator: "\n    "))
        }
        return parts.joined(separator: "; ")
    }

    /// The program's end in words; nil while it runs.
    var ending: String? { status.map { ChildProcess.describe(status: $0) } }

    /// Whether a signal killed it, for example the kernel's when memory runs out. Then the row is not at fault.
    var wasKilled: Bool { status.map { [SIGKILL, SIGTERM, SIGINT, SIGHUP].contains($0 & 0x7F) } ?? false }

    /// - Returns: whether the program has ended.
    @discardableResult
    private func reap(wait: Bool) -> Bool {
        guard status == nil else { return true }
        if wait { memory.follow(nil) }
        var result: Int32 = 0
        if waitpid(pid, &result, wait ? 0 : WNOHANG) == pid {
            memory.follow(nil)
            status = result
            // Its leftover children would keep the pipes open.
            kill(-pid, SIGKILL)
        }
        return status != nil
    }

    // MARK: - Starting

    /// The reason why the command cannot be started on this host; nil when it can.
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

    /// The program's path. A relative path is relative to the job's folder, where the program starts.
    private static func path(of program: String, in directory: String) -> String {
        program.contains("/") && !program.hasPrefix("/") ? "\(directory)/\(program)" : program
    }
}
