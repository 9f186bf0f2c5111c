import OrderedCollections
public import Sharding

/// Whose turn it is to write: as many workers as the limit says, in the order in which they asked.
///
/// A turn is a matter of speed alone. With few statements in flight, old row versions soon have no reader, and their room is
/// used again; and a server with few cores does more. Nothing is lost when a worker writes without its turn, so a turn whose
/// end is not told ends by itself.
public struct TurnTable: Sendable, Equatable {
    public struct Grant: Sendable, Equatable {
        public var worker: WorkerID
        /// How long the turn may last.
        public var slice: Duration
    }

    /// A turn while others wait.
    static let slice = Duration.milliseconds(250)
    /// A turn while nobody waits.
    static let longSlice = Duration.seconds(1)
    /// How much longer than its slice a turn counts: a batch under way is finished, and long batches are let be.
    static let grace = Duration.seconds(1)

    public private(set) var limit: Int
    /// The workers whose turn it is, with the time at which it ends by itself.
    private var holders: [WorkerID: Duration] = [:]
    private var line: OrderedSet<WorkerID> = []

    /// - Parameter limit: how many may have their turn at a time, from 1.
    public init(limit: Int) { self.limit = max(1, limit) }

    // MARK: - Events

    /// The worker waits for its turn. One that it had is over.
    public mutating func wanted(_ worker: WorkerID, now: Duration) -> [Grant] {
        holders[worker] = nil
        line.append(worker)
        return grants(now: now)
    }

    /// The worker needs no turn, or is gone.
    public mutating func ended(_ worker: WorkerID, now: Duration) -> [Grant] {
        holders[worker] = nil
        line.remove(worker)
        return grants(now: now)
    }

    public mutating func limited(to limit: Int, now: Duration) -> [Grant] {
        self.limit = max(1, limit)
        return grants(now: now)
    }

    public mutating func timePassed(now: Duration) -> [Grant] { grants(now: now) }

    // MARK: - Queries

    public var inFlight: Int { holders.count }
    public var waiting: Int { line.count }

    /// What must not be, in words; nil when all is well.
    public func checkInvariants() -> String? {
        if let worker = line.first(where: { holders[$0] != nil }) { return "\(worker) has its turn and waits for one" }
        if !line.isEmpty, holders.count < limit { return "\(line.count) wait, and \(holders.count) of \(limit) are in" }
        return nil
    }

    private mutating func grants(now: Duration) -> [Grant] {
        var grants: [Grant] = []
        if !line.isEmpty { holders = holders.filter { $0.value > now } }
        while holders.count < limit, let worker = line.first {
            line.removeFirst()
            let slice = line.isEmpty ? Self.longSlice : Self.slice
            holders[worker] = now + slice + Self.grace
            grants.append(Grant(worker: worker, slice: slice))
        }
        return grants
    }
}
