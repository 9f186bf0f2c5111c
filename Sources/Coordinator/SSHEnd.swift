import Host

/// Why ssh has ended, in words, with what to do where that is known.
enum SSHEnd {
    /// ssh's own status for errors of its own.
    private static let ownError: Int32 = 255
    private static let notExecutable: Int32 = 126
    private static let notFound: Int32 = 127

    /// - Parameters:
    ///   - status: what `waitpid` gave.
    ///   - lines: the last lines that ssh and the other side have said.
    ///   - path: of coord on the other side.
    static func reason(status: Int32, lines: [String], path: String) -> String {
        let code = status & 0x7F == 0 ? (status >> 8) & 0xFF : nil
        switch code {
        case notFound: return "there is no coord at \(path): install it there, or name it by 'path'"
        case notExecutable: return "\(path) cannot be executed there"
        case 0: return "its workers have left"
        case nil: return "ssh has ended (\(ChildProcess.describe(status: status)))"
        default: break
        }
        guard let said = telling(lines) else {
            let how = ChildProcess.describe(status: status)
            return code == ownError ? "ssh has ended without a word (\(how))" : "its workers have ended (\(how))"
        }
        if let mend = mends.first(where: { said.contains($0.words) })?.mend { return "\(said): \(mend)" }
        return said
    }

    /// The line that says the most: a message of coord, or else the last one.
    private static func telling(_ lines: [String]) -> String? {
        let plain = lines.filter { !$0.isEmpty && $0.first?.isWhitespace == false }
        var said =
            plain.last { $0.hasPrefix(messageHead) }.map { String($0.dropFirst(messageHead.count)) } ?? plain.last
        while said?.last == "." { said?.removeLast() }
        return said
    }

    private static let messageHead = "coord: "

    private static let mends: [(words: String, mend: String)] = [
        (
            "Host key verification failed",
            "its key is not known, or another than before; `ssh` it once by hand, or put its key into known_hosts"
        ),
        ("Permission denied", "ssh needs a key that is let in without a question"),
    ]
}
