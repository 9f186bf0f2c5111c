public import Sharding

/// A session that holds rows of a run's ledger locked.
public struct LockHolder: Sendable, Equatable, CustomStringConvertible {
    /// Of its server process; nil where none could be found, as of a prepared transaction.
    public var pid: Int32?
    public var user: String?
    public var application: String?
    /// Nil for a Unix socket, or where this role may not see it.
    public var address: String?
    /// As in `pg_stat_activity`; nil where this role may not see it.
    public var state: String?
    /// Seconds since its transaction began, or nil.
    public var seconds: Int64?
    /// Whose rows it holds.
    public var shards: [ShardID]
    /// It holds the run's own row.
    public var holdsRun: Bool
    /// In the text form of the session that asked.
    var backendStart: String?

    public var description: String {
        let who = [
            user.map { "role \($0)" }, application.flatMap { $0.isEmpty ? nil : "application \($0)" },
            "client \(address ?? "local or hidden")", "state \(state ?? "hidden")",
            seconds.map { "in its transaction for \($0) s" },
        ].compactMap { $0 }.joined(separator: ", ")
        let list = shards.prefix(Self.shown).map(\.description).joined(separator: ", ")
        let rest = shards.count > Self.shown ? " and \(shards.count - Self.shown) more" : ""
        let what =
            (holdsRun ? ["the run's row"] : [])
            + (shards.isEmpty ? [] : ["shard\(shards.count == 1 ? "" : "s") \(list)\(rest)"])
        return (pid.map { "pid \($0): \(who)" } ?? "a session that was not found") + ", holds "
            + what.joined(separator: " and ")
    }

    /// Shards that are named in a message.
    private static let shown = 10
}
