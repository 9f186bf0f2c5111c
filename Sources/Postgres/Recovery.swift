/// What may be done about an error.
public enum Recovery: Sendable, Equatable, CaseIterable {
    /// The transaction was rolled back for a reason that may pass: do it again.
    case retry
    /// The connection is gone or the server cannot write now: connect again, and ask before repeating a commit.
    case reconnect
    /// Wrong credentials or missing rights: somebody must grant them.
    case authorize
    /// Doing it again gives the same error.
    case permanent

    /// Source: PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".
    public static func of(sqlState: String?) -> Recovery {
        guard let sqlState else { return .reconnect }
        switch sqlState {
        // Conflicts with others, limits of time, and resources that others may give back: memory, disk, input and output.
        case "40000", "40001", "40P01", "55P03", "57014", "55006", "53000", "53200", "53100", "58000", "58030", "72000":
            return .retry
        // The session's affair, and not that of what it did: shutdown, crash, cannot connect now, a database without room
        // for one more session, timeouts that end a session, a commit whose end nobody knows, and a server that has become
        // read-only by a failover.
        case "57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "53300", "40003", "25006": return .reconnect
        case "42501", "28000", "28P01": return .authorize
        // Among them a database that was dropped (57P04), damaged data (XX001, XX002) and limits of configuration (53400).
        default: return sqlState.hasPrefix("08") ? .reconnect : .permanent
        }
    }
}
