import Glibc

/// The two streams: data on standard output, messages on standard error.
enum Terminal {
    static func complain(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { return }
            rest = rest.dropFirst(max(count, 0))
        }
    }

    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 && variable("TERM") != "dumb" }

    /// https://no-color.org: any value that is not empty.
    static var color: Bool { (variable("NO_COLOR") ?? "").isEmpty }

    /// Columns and rows of the terminal.
    static var size: (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
