import Sharding

/// The causes of conditions, apart from the figures of workers. Each member is set by the event that begins it and
/// cleared by the event that ends it, so that none can overwrite another.
struct Hindrances: Sendable {
    /// A trouble with the ledger that passes.
    struct Trouble: Sendable {
        var since: Duration
        /// The newest reason: it may change while the trouble lasts.
        var reason: String
        /// Whether the server is there, but takes no writes.
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

    /// The most workers whose problem is remembered before they have joined: any process may say HELLO.
    static let beginnerLimit = 1024

    var windDown: WindDown?
    var pace: Pace?
    var away: Trouble?
    var locked: Trouble?
    var ends: Ends?
    var spawnFault: String?
    var hosts: [HostTrouble] = []
    private(set) var beginners: [WorkerID: Beginner] = [:]

    mutating func windDownBegan(_ windDown: WindDown) {
        if let before = self.windDown, before.rank >= windDown.rank { return }
        self.windDown = windDown
    }

    /// - Parameter beginner: nil if the worker has no problem any more.
    mutating func asked(_ worker: WorkerID, _ beginner: Beginner?) {
        if beginner != nil, beginners[worker] == nil, beginners.count >= Self.beginnerLimit { return }
        beginners[worker] = beginner
    }
}
