/// What helps against an error.
public enum Recovery: Sendable, Equatable, CaseIterable {
    /// The transaction was rolled back for a reason that may pass: run it again.
    case retry
    /// The connection is gone or the server cannot write now: connect again, and ask before repeating a commit.
    case reconnect
    /// Wrong credentials or missing rights: a person must grant them.
    case authorize
    /// A repetition gives the same error.
    case permanent

    /// Source: PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".
    public static func of(sqlState: String?) -> Recovery {
        guard let sqlState else { return .reconnect }
        switch sqlState {
        // Conflicts with other sessions, timeouts, and resources that may become free: memory, disk, input and output.
        case "40000", "40001", "40P01", "55P03", "57014", "55006", "53000", "53200", "53100", "58000", "58030", "72000":
            return .retry
        // Errors of the session and not of its statement: shutdown, crash, cannot connect now, no room for one more
        // session, timeouts that end a session, a commit of unknown outcome, and a server that a failover has made
        // read-only.
        case "57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "53300", "40003", "25006": return .reconnect
        case "42501", "28000", "28P01": return .authorize
        // Includes a dropped database (57P04), damaged data (XX001, XX002) and configured limits (53400).
        default: return sqlState.hasPrefix("08") ? .reconnect : .permanent
        }
    }
}
