import Glibc

/// The two streams: data on standard output, messages on standard error.
enum Terminal {
    /// How long standard output may take nothing before what is left is given up, at the end of a run.
    static let patience = Duration.seconds(5)
    /// The same for messages, which nobody may be there to read.
    static let messagePatience = Duration.seconds(1)

    static let output = StreamWriter(
        STDOUT_FILENO, notice: { JSONOutput.line(DroppedObject(messages: $0)) },
        failed: {
            complain("standard output cannot be written any more: \($0). The work goes on; its status will be 1")
        })

    static let error = StreamWriter(
        STDERR_FILENO, notice: { "… \($0) \($0 == 1 ? "line was" : "lines were") not shown: nothing was taken here\n" })

    /// A message for people. Whatever it quotes, only coord's own escapes ever reach the terminal.
    static func complain(_ text: String) { error.post(Suggestion.completed(text).visibleLines + "\n") }

    /// An answer for people.
    static func answer(_ text: String) { output.post(Suggestion.completed(text).visibleLines + "\n") }

    /// From here on nothing that the streams do holds up who writes to them. For commands that work.
    static func detach() {
        output.detach()
        error.detach()
    }

    /// Sees that all is written, or says that it is not.
    /// - Returns: what to end the process with: 1 where it would be 0 and standard output lacks something.
    static func finish(_ status: Int32) -> Int32 {
        if !output.settle(patience: patience) { output.giveUp(.stuck(patience)) }
        var status = status
        if let fault = output.fault {
            let next = Suggestion.afterLostOutput.map { "\n  \($0)" } ?? ""
            complain("coord: standard output could not be written: \(fault)\(next)")
            if status == ExitStatus.complete.rawValue { status = ExitStatus.error.rawValue }
        }
        error.settle(patience: messagePatience)
        return status
    }

    static func exit(_ status: Int32) -> Never { Glibc.exit(finish(status)) }

    /// Gives standard streams that are closed a descriptor that cannot be written or read: the next socket would get
    /// their number, and what is meant for people would go to the database.
    static func reserveStreams() {
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) < 0 && errno == EBADF {
            let flags = stream == STDIN_FILENO ? O_WRONLY : O_RDONLY
            let descriptor = open("/dev/null", flags)
            guard descriptor >= 0, descriptor != stream else { continue }
            dup2(descriptor, stream)
            close(descriptor)
        }
        // Swift's runtime begins before this, and may have taken the number for a descriptor of no file.
        for (stream, writer) in [(STDOUT_FILENO, output), (STDERR_FILENO, error)] {
            var status = stat()
            if fstat(stream, &status) == 0, status.st_mode & S_IFMT == 0 { writer.giveUp(.failed(EBADF)) }
        }
    }

    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 && variable("TERM") != "dumb" }
    static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// https://no-color.org: any value that is not empty.
    static var color: Bool { (variable("NO_COLOR") ?? "").isEmpty }

    /// Columns and rows of the terminal that a stream is.
    static func size(of stream: Int32 = STDERR_FILENO) -> (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(stream, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// The text, and its first line again where the terminal would have moved that out of sight.
    static func withHeadlineInSight(_ text: String) -> String {
        guard outputIsTerminal else { return text }
        let size = size(of: STDOUT_FILENO)
        return repeatingHeadline(text, width: size.width, height: size.height)
    }

    static func repeatingHeadline(_ text: String, width: Int, height: Int) -> String {
        let lines = text.visibleLines.split(separator: "\n", omittingEmptySubsequences: false)
        let rows = lines.reduce(0) { $0 + max(1, ($1.count + width - 1) / max(1, width)) }
        // One more for the cursor.
        return rows < height ? text : text + "\n" + (lines.first ?? "")
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// In this module, as `Swift.print`, but a full disk or a closed pipe is noticed, and outside text cannot steer the terminal.
func print(_ text: String) { Terminal.answer(text) }
