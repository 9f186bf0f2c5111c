/// Why a connection failed, read from libpq's message.
///
/// libpq before 17 keeps no SQLSTATE of a refusal, but its verbose messages have it, whatever the server's language:
/// `FATAL:  28P01: password authentication failed`. An error that the client finds by itself has none. libpq's words
/// for such an error are English, since this program never asks for another language.
struct ConnectFailure: Equatable {
    /// config_file_error: only other settings help.
    static let badSettings = "F0000"

    /// nil when the server is away: a later try may find it.
    var sqlState: String?
    /// libpq's message without its verbose parts.
    var message: String

    /// - Parameters:
    ///   - message: libpq's, verbose.
    ///   - isAttempted: whether libpq had a host to try.
    ///   - needsPassword: whether a server asked for a password and none was given.
    init(_ message: String, isAttempted: Bool, needsPassword: Bool) {
        var codes: [String] = []
        var lines: [Substring] = []
        for line in message.split(separator: "\n", omittingEmptySubsequences: false)
        where !line.hasPrefix("LOCATION:  ") {
            if let (code, plain) = Self.code(in: line) {
                codes.append(code)
                lines.append(plain)
            } else {
                lines.append(line)
            }
        }
        self.message = lines.joined(separator: "\n")
        // libpq stops at the first host that refuses; the hosts before it are starting up or away.
        if let refusal = codes.last(where: { Recovery.of(sqlState: $0) != .reconnect }) {
            sqlState = refusal
        } else if needsPassword {
            sqlState = "28000"
        } else if !isAttempted || Self.isFaultOfTheSettings(message) {
            sqlState = Self.badSettings
        } else {
            sqlState = codes.last
        }
    }

    /// The code after a line's first severity, and the line without the code. A colon and two spaces stand before the
    /// code; libpq's own words never contain that.
    private static func code(in line: Substring) -> (String, Substring)? {
        let characters = Array(line.unicodeScalars)
        guard characters.count >= 10 else { return nil }
        for start in 0..<(characters.count - 9) where characters[start] == ":" {
            let (before, code, after) = (
                characters[start + 1..<start + 3], characters[start + 3..<start + 8], characters[start + 8..<start + 10]
            )
            guard before.elementsEqual("  ".unicodeScalars) else { continue }
            // Here the server's own text begins. It may hold anything.
            guard after.elementsEqual(": ".unicodeScalars),
                code.allSatisfy({ ("0"..."9").contains($0) || ("A"..."Z").contains($0) })
            else { return nil }
            var plain = String.UnicodeScalarView(characters[...(start + 2)])
            plain.append(contentsOf: characters[(start + 10)...])
            return (String(String.UnicodeScalarView(code)), Substring(String(plain)))
        }
        return nil
    }

    /// Errors that libpq finds before it asks any server and that may pass.
    private static let passing = ["could not translate host name", "out of memory", "could not look up local user ID"]
    /// Errors that libpq finds while it talks to a server and that no later try changes.
    private static let lasting = [
        "root certificate file", "certificate file \"", "private key file", "certificate verify failed",
        "does not match host name", "server does not support SSL", "server does not support GSS", "channel binding",
        "could not load library", "authentication method", "invalid port number", "path is too long",
        "SCRAM authentication requires", "Unix-domain socket path",
    ]

    private static func isFaultOfTheSettings(_ message: String) -> Bool {
        // Since libpq 14, each attempt's message begins so.
        guard message.contains("connection to server ") else { return !passing.contains(where: message.contains) }
        return lasting.contains(where: message.contains)
    }
}
