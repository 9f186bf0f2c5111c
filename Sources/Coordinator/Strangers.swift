import ZeroMQ

/// Peers with keys that may not join, as far as they are worth a word: each key once in a while, and only so many keys, since
/// a new one costs a stranger nothing.
struct Strangers {
    /// Between two words about the same key.
    static let interval = Duration.seconds(60)
    /// Keys that are remembered, and so told, in one interval.
    static let limit = 16

    struct Stranger: Equatable {
        var key: CurvePublicKey
        var address: String
    }

    private var toldAt: [CurvePublicKey: Duration] = [:]
    private var untold: [Stranger] = []

    mutating func refused(_ key: CurvePublicKey, at address: String, now: Duration) {
        toldAt = toldAt.filter { now - $0.value < Self.interval }
        guard toldAt[key] == nil, toldAt.count < Self.limit else { return }
        toldAt[key] = now
        untold.append(Stranger(key: key, address: address))
    }

    /// Those that are to be told of, once.
    mutating func take() -> [Stranger] {
        defer { untold.removeAll() }
        return untold
    }
}
