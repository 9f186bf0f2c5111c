import OrderedCollections
public import Sharding

/// Whose turn it is to write: as many workers as the limit says, in the order in which they asked.
///
/// With few statements in flight, old row versions soon have no reader, and their room is used again; and a server with few
/// cores does more. That is a matter of speed alone. Nothing is lost when a worker writes without its turn, so a turn whose
/// end is not told ends by itself. Where somebody has limited the rows a second, a turn is also good for a number of rows.
public struct TurnTable: Sendable, Equatable {
    public struct Grant: Sendable, Equatable {
        public var worker: WorkerID
        /// How long the turn may last.
        public var slice: Duration
        /// The rows after which no further batch may begin; nil for no limit.
        public var rows: Int?
    }

    /// What a worker has taken of the rows, and what it has told.
    private struct Account: Sendable, Equatable {
        /// The rows of its turn, until it tells how many it wrote.
        var taken = 0.0
        /// All rows that it has told so far; nil before the first time.
        var told: Int64?
        /// The rows of its last turn; nil if that is not known.
        var lastTurn: Double?
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
    /// The rows that may be written; nil for no limit.
    private var budget: RowBudget?
    private var accounts: [WorkerID: Account] = [:]
    /// The rows of a batch of a worker that has not told any.
    private let batchRows: Int

    /// - Parameters:
    ///   - limit: how many may have their turn at a time, from 1.
    ///   - batchRows: the rows of a batch.
    public init(limit: Int, batchRows: Int = 1) {
        self.limit = max(1, limit)
        self.batchRows = max(1, batchRows)
    }

    // MARK: - Events

    /// The worker waits for its turn. One that it had is over.
    ///
    /// - Parameter rows: the rows that it has written since it began.
    public mutating func wanted(_ worker: WorkerID, rows: Int64 = 0, now: Duration) -> [Grant] {
        settle(worker, rows)
        holders[worker] = nil
        line.append(worker)
        return grants(now: now)
    }

    /// The worker needs no turn.
    public mutating func ended(_ worker: WorkerID, rows: Int64 = 0, now: Duration) -> [Grant] {
        settle(worker, rows)
        return leave(worker, now: now)
    }

    /// The worker is gone. What it had taken of the rows counts as written.
    public mutating func left(_ worker: WorkerID, now: Duration) -> [Grant] {
        accounts[worker] = nil
        return leave(worker, now: now)
    }

    /// The worker is in the midst of a batch. Where no more than so many may write at a time, whatever it costs, its turn
    /// lasts until that is over.
    ///
    /// - Parameter time: how long until it is heard again, at the most.
    public mutating func isWriting(_ worker: WorkerID, for time: Duration, now: Duration) {
        guard let end = holders[worker] else { return }
        holders[worker] = max(end, now + time + Self.grace)
    }

    public mutating func limited(to limit: Int, now: Duration) -> [Grant] {
        self.limit = max(1, limit)
        return grants(now: now)
    }

    /// - Parameter rowsPerSecond: the most rows a second of all workers; nil for no limit.
    public mutating func paced(_ rowsPerSecond: Int64?, now: Duration) -> [Grant] {
        if let rowsPerSecond {
            // What was written without a limit is no debt, and what has been told since remains one.
            if budget == nil { accounts = [:] }
            let debt = min(0, budget?.rows ?? 0)
            budget = RowBudget(rowsPerSecond: rowsPerSecond, now: now)
            budget?.take(-debt)
        } else {
            (budget, accounts) = (nil, [:])
        }
        return grants(now: now)
    }

    public mutating func timePassed(now: Duration) -> [Grant] { grants(now: now) }

    // MARK: - Queries

    public var inFlight: Int { holders.count }
    public var waiting: Int { line.count }

    /// What must not be, in words; nil when all is well.
    public func checkInvariants() -> String? {
        if let worker = line.first(where: { holders[$0] != nil }) { return "\(worker) has its turn and waits for one" }
        if !line.isEmpty, holders.count < limit, budget?.isOpen != false {
            return "\(line.count) wait, and \(holders.count) of \(limit) are in"
        }
        if budget == nil, !accounts.isEmpty { return "rows are counted that nobody limits" }
        return nil
    }

    // MARK: - Private

    private mutating func leave(_ worker: WorkerID, now: Duration) -> [Grant] {
        holders[worker] = nil
        line.remove(worker)
        return grants(now: now)
    }

    private mutating func grants(now: Duration) -> [Grant] {
        budget?.timePassed(now: now)
        var grants: [Grant] = []
        if !line.isEmpty { holders = holders.filter { $0.value > now } }
        while holders.count < limit, budget?.isOpen != false, let worker = line.first {
            line.removeFirst()
            let slice = line.isEmpty && budget == nil ? Self.longSlice : Self.slice
            holders[worker] = now + slice + Self.grace
            grants.append(Grant(worker: worker, slice: slice, rows: takeRows(for: worker)))
        }
        return grants
    }

    /// Takes a worker's share of the rows. It is at least a batch, of which one too many cannot be taken back.
    private mutating func takeRows(for worker: WorkerID) -> Int? {
        guard let budget else { return nil }
        let last = accounts[worker]?.lastTurn ?? Double(batchRows)
        // An equal share, or more for one who uses more; a slow one keeps nothing from the others.
        let share = min(budget.rows, max(2 * last, budget.limit / Double(max(1, holders.count + line.count))))
        let taken = max(1, share.rounded(.down), min(last, Double(batchRows)))
        self.budget?.take(taken)
        accounts[worker, default: Account()].taken = taken
        return Int(max(1, share))
    }

    private mutating func settle(_ worker: WorkerID, _ told: Int64) {
        guard budget != nil else { return }
        var account = accounts[worker] ?? Account()
        // The first time tells from where to count.
        let used = account.told.map { max(0, told - $0) } ?? (account.taken > 0 ? Int64(account.taken) : 0)
        budget?.settle(taken: account.taken, used: used)
        if account.taken > 0, account.told != nil { account.lastTurn = Double(used) }
        account.taken = 0
        account.told = told
        accounts[worker] = account
    }
}
