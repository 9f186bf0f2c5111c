public import Sharding

/// What the shell must do. At most one of the actions from `openLease` to `write` is under way at any time.
public enum WorkerAction: Equatable, Sendable {
    case sayHello
    case sayHeartbeat(held: HeldLease?)
    /// Close the socket and open a new one: the old connection may be half dead.
    case reconnect
    /// Enter the session in the shard's ledger row. Answer with `leaseOpened` or `stepFailed`.
    ///
    /// `batchRows` is what another worker found that a batch may have, or 0.
    case openLease(Lease, batchRows: Int = 0)
    /// Set-based: run the batch statement. Answer with `batchCommitted` or `stepFailed`.
    case apply(Lease, Position)
    /// Row-based: read the next batch, `locking` its rows in a transaction that stays open until the write.
    /// Answer with `batchRead` or `stepFailed`.
    case read(Lease, Position, locking: Bool)
    /// Row-based: compute the batch that was read. Answer with `batchComputed` or `stepFailed`.
    case compute
    /// Row-based: write the computed batch with its checkpoint, and read the next one in the same round trip when
    /// `readNext`. Answer with `batchCommitted` or `stepFailed`.
    case write(Lease, Position, readNext: Bool)
    /// Throw away rows that were read or computed.
    case discard
    case reportDone(Lease)
    case reportFailed(Lease, StepError)
    case reportReleased(Lease)
    case reportLost(Lease)
    case sayGoodbye
    /// The machine's work is over.
    case stop(WorkerStop)

    /// Whether the action is about the batch in hand: these are carried out one after another.
    public var isStep: Bool {
        switch self {
        case .openLease, .apply, .read, .compute, .write, .discard: true
        default: false
        }
    }
}

/// Why a step failed, and what follows from it.
public struct StepError: Error, Equatable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        /// The shard has another epoch or owner.
        case leaseLost
        /// The fence refused a batch: what the shard's row says by now is to be read.
        case fenced
        /// A deadlock and the like: the same batch may work a moment later.
        case retryable
        /// Somebody holds a row, or the table, for longer than the job is patient: it is waited for without holding
        /// anything.
        case held
        /// The batch took too long and is smaller by now.
        case tooLong
        /// The connection broke; whether a commit went through is read from the ledger.
        case connectionLost
        /// The compute program failed; a new one may do better.
        case program
        /// The compute program has never answered a row on this worker: another worker may do better.
        case unfit
        /// No retry can help.
        case permanent
        /// No shard of the run can go on, such as when the table is another one.
        case stopsRun

        /// What the coordinator must know of it once the attempt has ended.
        public var scope: FailureScope {
            switch self {
            case .permanent: .shard
            case .unfit: .worker
            case .stopsRun: .run
            case .leaseLost, .fenced, .retryable, .held, .tooLong, .connectionLost, .program: .attempt
            }
        }
    }

    public var kind: Kind
    public var message: String
    /// The same for the same error at the same row; nil where the error concerns no row.
    public var identity: String?
    public init(_ kind: Kind, _ message: String, identity: String? = nil) {
        self.kind = kind
        self.message = message
        self.identity = identity
    }
}

/// How a worker's life ended.
public enum WorkerStop: Equatable, Sendable {
    case drained
    /// The coordinator answered HELLO with a refusal.
    case refused(reason: String)
    /// No coordinator was heard for longer than the limit.
    case abandoned
}
