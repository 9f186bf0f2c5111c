import Dispatching
import LedgerQueueing
import Sharding
import WorkerLoop

@testable import SimulatedLedger

/// The meaning of a seed: the size of the run, and the faults of the world. All times are virtual.
struct Scenario: Sendable {
    var mode: WorkerLoopStateMachine.Mode
    var workers: Int
    var rows: Int
    var shards: Int
    var batchRows: Int
    /// The chances that a message is lost, delivered twice, or late by up to `lateness`.
    var loss: Double
    var repetition: Double
    var late: Double
    var lateness: Duration
    /// The longest time of a statement to the server, or of its answer back.
    var latency: Duration
    var compute: Duration
    /// The same for the coordinator's statements. While a slow ledger answers, much else may happen.
    var ledgerLatency: Duration
    /// Failures in a row after which a shard has failed.
    var attempts: Int
    /// The chances of each statement that its connection breaks before it, after it, or before it while the server
    /// still runs it later.
    var lostBefore: Double
    var lostAfter: Double
    var ranLater: Double
    var retryable: Double
    /// The chances of each batch that its worker dies between commit and answer, or freezes just before the write.
    var crashAfterCommit: Double
    var freezeBeforeWrite: Double
    var stuck: Double
    /// The mean time between changes by the application, and the number of keys that it changes most.
    var outsideEvery: Duration
    var hotKeys: Int
    var faultEvery: Duration
    var faultPhase: Duration
    /// Whether a worker that is taken for dead is killed, as a coordinator does with its local workers.
    var killsDismissed: Bool
    /// Whether requests that come while the coordinator has no ledger are kept until the load, or dropped.
    var keepsWorkWhileLoading: Bool
    var deferralLimit: Int
    /// The chance of each statement of the coordinator that it meets a lock.
    var busyLedger: Double
    /// How long the ledger may be away before a coordinator gives up.
    var ledgerPatience: Duration
    /// Nil for a run in key order.
    var comb: SimulatedComb?
    /// The number of workers whose program is missing, until somebody mends that.
    var misfits = 0
    /// The mean time until somebody locks the rows of pending shards, and the longest time of such a lock; nil for none.
    var hold: (every: Duration, atMost: Duration)?

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed ^ 0x5CE0_A210)
        func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        func flag(_ chance: Double) -> Bool { Double.random(in: 0..<1, using: &random) < chance }
        /// A rate that is often zero: then a seed has few kinds of faults, and each kind also occurs alone.
        func rate(_ most: Double) -> Double { flag(0.35) ? 0 : Double.random(in: 0...most, using: &random) }
        mode = flag(0.5) ? .setBased : .rowBased
        workers = int(1...8)
        batchRows = int(1...12)
        rows = batchRows * int(4...100) * max(1, workers / 2)
        shards = flag(0.1) ? 1 : int(1...40)
        loss = rate(0.15)
        repetition = rate(0.1)
        late = rate(0.1)
        lateness = .milliseconds(int(20...8000))
        latency = .milliseconds(int(2...250))
        compute = .milliseconds(int(1...300))
        ledgerLatency = flag(0.7) ? latency : .milliseconds(int(200...2500))
        attempts = int(2...5)
        lostBefore = rate(0.03)
        lostAfter = rate(0.05)
        ranLater = rate(0.03)
        retryable = rate(0.06)
        crashAfterCommit = rate(0.02)
        freezeBeforeWrite = rate(0.03)
        stuck = rate(0.01)
        // In some seeds one row changes more often than a batch takes.
        outsideEvery = .milliseconds(flag(0.2) ? int(4...15) : int(15...600))
        hotKeys = flag(0.4) ? 1 : int(1...10)
        faultEvery = .milliseconds(int(200...6000))
        faultPhase = .seconds(int(5...40))
        killsDismissed = flag(0.4)
        keepsWorkWhileLoading = flag(0.5)
        deferralLimit = int(1...4)
        busyLedger = rate(0.1)
        ledgerPatience = .seconds(int(3...60))
        // What is newer is drawn last, so that the seeds keep their older draws.
        if flag(0.5) {
            let stripes = int(2...6)
            comb = SimulatedComb(
                stripes: stripes, batchRows: batchRows, stretchRows: max(1, batchRows * stripes * int(1...6) / 2))
        }
        if mode == .rowBased, flag(0.15) { misfits = int(1...2) }
        if flag(0.3) { hold = (.seconds(int(1...10)), .seconds(int(2...30))) }
    }

    static let leaseDuration: Duration = .seconds(5)
    static let stallAfter: Duration = .seconds(12)
    /// The longest time of a statement that hangs, or of a compute.
    static let longestStep: Duration = .seconds(18)
    /// How long after the end of all faults a lease may still expire or stall, because of a step that hung or of what
    /// waited for it.
    static let convalescence: Duration = .seconds(45)
    static let renewal: Duration = .seconds(2)
    /// How long a statement of the coordinator waits for a lock.
    static let lockTimeout: Duration = .seconds(2)
    /// Longer than a lease, so that the next coordinator meets the locks of a zombie.
    static let idleInTransaction: Duration = .seconds(8)

    private var retry: RetryPolicy {
        RetryPolicy(attempts: attempts, backoff: .milliseconds(200), maxBackoff: .seconds(3))
    }

    var dispatch: DispatchStateMachine.Configuration {
        DispatchStateMachine.Configuration(
            leaseDuration: Self.leaseDuration, stallAfter: Self.stallAfter, assignGrace: .milliseconds(2500),
            misfitGrace: .seconds(5), retry: retry)
    }

    var ledgerQueue: LedgerQueueStateMachine.Configuration {
        LedgerQueueStateMachine.Configuration(patience: ledgerPatience)
    }

    var workerLoop: WorkerLoopStateMachine.Configuration {
        WorkerLoopStateMachine.Configuration(
            mode: mode, retry: retry, heartbeatInterval: .seconds(1), silentAfter: .seconds(4),
            giveUpAfter: .seconds(15), deferralLimit: deferralLimit, turnTaking: takesTurns ? .forSpeed : .none)
    }

    /// Whether workers write in turns, two at a time: in about half of the scenarios.
    private var takesTurns: Bool { (rows + shards) % 2 == 0 }
    /// Somebody limits the pace now and then, in half of the scenarios: the rows a second of all workers; nil for no limit.
    func rowsPerSecond(at now: Duration) -> Int64? {
        // In some it stays, so that nothing is mended by its end.
        rows % 2 == 0 && (rows % 4 == 0 || now.components.seconds / 20 % 2 == 0) ? Self.pace : nil
    }
    func turnTaking(at now: Duration) -> TurnTaking {
        rowsPerSecond(at: now) != nil ? .forPace : takesTurns ? .forSpeed : .none
    }
    private static let pace: Int64 = 200

    /// How long the run may take after the end of all faults: the time of what may still hang, expire or wait for a
    /// retry, and three times the work of a single worker.
    var patience: Duration {
        // A stretch has a batch for each stripe, however small, and each batch may need a look first.
        let stretches = comb.map { (rows / $0.stretchRows + 2 * shards) * $0.stripes * 2 } ?? 0
        let batches = rows / batchRows + 2 * shards + 10 * hotKeys + stretches
        let latencies = takesTurns ? 8 : 4
        return .seconds(90 + rows * 2 / Int(Self.pace)) + (latency * latencies + compute) * batches * 3 + ledgerLatency
            * shards * 8
    }
}
