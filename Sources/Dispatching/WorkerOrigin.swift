/// How a worker is known, and so how far its word goes.
public enum WorkerOrigin: Hashable, Sendable {
    /// The coordinator has spawned it: it is the same program of the same user.
    case spawned
    /// By a key. Workers with one key are one party.
    case key(String)
    /// By nothing: a party of its own.
    case unknown
}
