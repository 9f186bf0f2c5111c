import Sharding

/// What holds a run up, but for what its workers' own figures say. Each member is set by what begins it, and cleared by
/// what ends it, so that none can overwrite another.
struct Hindrances: Sendable {
    /// Something about the ledger that heals.
    struct Trouble: Sendable {
        var since: Duration
        /// As of now: it may change while the trouble lasts.
        var reason: String
        /// The server is there, and takes no writes.
        var isReadOnly = false
    }

    struct Beginner: Sendable {
        var process: ProcessName
        var problem: String
    }

    struct Ends: Sendable {
        var times: Int
        var limit: Int
        var reason: String
    }

    /// The most workers that ask to join whose problems are remembered: any process may say HELLO.
    static let beginnerLimit = 1024

    var windDown: WindDown?
    var away: Trouble?
    var locked: Trouble?
    var ends: Ends?
    var spawnFault: String?
    private(set) var beginners: [WorkerID: Beginner] = [:]

    mutating func windDownBegan(_ windDown: WindDown) {
        if let before = self.windDown, before.rank >= windDown.rank { return }
        self.windDown = windDown
    }

    /// - Parameter beginner: nil where nothing is wrong by now.
    mutating func asked(_ worker: WorkerID, _ beginner: Beginner?) {
        if beginner != nil, beginners[worker] == nil, beginners.count >= Self.beginnerLimit { return }
        beginners[worker] = beginner
    }
}
