public import Sharding

/// A session that holds locks on a run's rows in the ledger.
public struct LockHolder: Sendable, Equatable, CustomStringConvertible {
    /// The pid of its server process; nil if there is none, as for a prepared transaction.
    public var pid: Int32?
    public var user: String?
    public var application: String?
    /// The client's address; nil for a Unix socket, or if this role may not see it.
    public var address: String?
    /// The state in `pg_stat_activity`; nil if this role may not see it.
    public var state: String?
    /// Seconds since its transaction began, or nil.
    public var seconds: Int64?
    /// The shards whose rows it holds.
    public var shards: [ShardID]
    /// Whether it holds the run's row.
    public var holdsRun: Bool
    /// The start of the server process, in the text form of the asking session.
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

    /// The most shards that a message names.
    private static let shown = 10
}
