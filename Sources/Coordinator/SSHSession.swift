import Glibc
import Host

/// One process of ssh, with both ends of what goes through it. Whoever lets go of the last reference ends the process.
final class SSHSession {
    private let pid: pid_t
    /// This end of ssh's standard input; -1 once it is let go.
    private var leash: Int32
    /// What ssh and the other side say.
    private let output: Int32
    private var lines = OutputLines()
    /// What `waitpid` gave; nil while the process is there.
    private var status: Int32?

    /// Variables that ssh does not need, and that a configuration of ssh may send to the other side.
    private static let withheld: Set<String> = [
        "PGPASSWORD", "PGSSLPASSWORD", "DATABASE_URL", "COORD_DATABASE", "COORD_KEYS",
    ]

    /// - Parameter handover: what goes through ssh's standard input first.
    init(_ program: String, _ arguments: [String], handover: String) throws(ChildProcessError) {
        let input = try Pipe()
        defer { close(input.readEnd) }
        let said: Pipe
        do {
            said = try Pipe()
        } catch {
            close(input.writeEnd)
            throw error
        }
        defer { close(said.writeEnd) }
        // Nothing that a host does may make this thread wait.
        for end in [input.writeEnd, said.readEnd] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        do {
            pid = try ChildProcess.spawn(
                program, arguments: arguments, without: Self.withheld,
                streams: (input.readEnd, said.writeEnd, said.writeEnd))
        } catch {
            close(input.writeEnd)
            close(said.readEnd)
            throw error
        }
        (leash, output) = (input.writeEnd, said.readEnd)
        // It fits into the pipe as a whole: `Handover.byteLimit`.
        let text = Array(handover.utf8)
        _ = write(leash, text, text.count)
    }

    deinit {
        letGo()
        close(output)
        guard status == nil else { return }
        Glibc.kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    /// Says a word to the other side. If ssh takes nothing, its own questions to the other side decide.
    func send(_ byte: UInt8) {
        guard leash >= 0 else { return }
        _ = [byte].withUnsafeBytes { write(leash, $0.baseAddress, 1) }
    }

    /// The other side sees the end of its input.
    func letGo() {
        guard leash >= 0 else { return }
        close(leash)
        leash = -1
    }

    func kill() {
        if status == nil { Glibc.kill(pid, SIGKILL) }
    }

    /// The lines that have come since the last call.
    func read() -> [String] { lines.read(from: output) }

    /// What has come without the end of a line: nothing more will.
    func finish() -> [String] { lines.finish() }

    func forgetLines() { lines.forget() }

    var lastLines: [String] { lines.kept }

    /// The status of a process that has ended; nil while it is there.
    func endStatus() -> Int32? {
        if let status { return status }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        self.status = status
        return status
    }
}
