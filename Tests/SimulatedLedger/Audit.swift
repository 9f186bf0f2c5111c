/// What must always hold.
enum Invariant: String, Sendable, CaseIterable {
    /// Every row in scope has its update committed exactly once.
    case i1 = "I1"
    /// Every transaction that changed rows advanced exactly one checkpoint.
    case i2 = "I2"
    /// Epochs never go back, and no write happens under a lower one.
    case i3 = "I3"
    /// The shards tile the key space.
    case i4 = "I4"
    /// A run is complete exactly when the ledger says that every shard is done.
    case i5 = "I5"
    /// A change that somebody else commits is never overwritten.
    case i6 = "I6"
    /// After every fault has healed, the run finishes.
    case i7 = "I7"
    /// What a state machine promises to its shell.
    case contract = "the contract between machine and shell"
}

struct Violation: Sendable, Equatable {
    var invariant: Invariant
    var message: String
}

/// What happened in a simulation, other than the plain way. Each must happen over the seeds, or the seeds prove little.
enum Happening: String, Sendable, CaseIterable {
    // Faults that are injected.
    case workerCrashed, workerCrashedAfterCommit, workerFroze, workerFrozeBeforeWrite, coordinatorCrashed
    case coordinatorFroze, partitioned, ledgerOutage, failoverLostCommits, programBroken, statementStuck
    case connectionKilled, drainAsked, cancelAsked
    case messageLost, messageRepeated, messageLate
    case connectionLostBeforeStatement, commitAnswerLost, statementRanAfterItsConnection, retryableError
    case idleTransactionEnded, lockTimeout, outsideChange, outsideInsert, outsideDelete
    // What the machines make of them.
    case leaseExpired, leaseStalled, leaseReleased, attemptFailed, fenceRefused, openRefused, leaseRefused
    case staleTermRefused, commitAnswerRecovered, rowsDeferred, lockingRead, pipelinedRead, stretchTakenUp, tookOver,
        resumed
    case ledgerReloaded, ledgerBusy, holderEnded, ousted, ledgerGivenUp, rejoined, workerDismissed, workerAbandoned,
        workerDrained, shardFailed, revoked, assignedAgain
    case concludedPartly, completed, cancelled
}

/// Watches a simulation: counts, keeps the trace when asked to, and holds the first violation.
final class Audit {
    private(set) var violation: Violation?
    private(set) var trace: [String] = []
    private(set) var counts = [Int](repeating: 0, count: Happening.allCases.count)
    let isTracing: Bool
    /// Invariants whose violation is not reported: a negative control looks for what follows from it.
    private let tolerated: [Invariant]
    var now: Duration = .zero

    init(isTracing: Bool, tolerated: [Invariant]) {
        self.isTracing = isTracing
        self.tolerated = tolerated
    }

    func report(_ invariant: Invariant, _ message: @autoclosure () -> String) {
        guard violation == nil, !tolerated.contains(invariant) else { return }
        violation = Violation(invariant: invariant, message: message())
        note("VIOLATION of \(invariant.rawValue): \(violation?.message ?? "")")
    }

    func note(_ line: @autoclosure () -> String) {
        guard isTracing else { return }
        trace.append("\(Self.stamp(now)) \(line())")
    }

    func count(_ happening: Happening) { counts[Self.index[happening] ?? 0] += 1 }

    private static let index = Dictionary(
        uniqueKeysWithValues: Happening.allCases.enumerated().map { ($0.element, $0.offset) })

    /// Seconds with milliseconds, in a column.
    private static func stamp(_ moment: Duration) -> String {
        let seconds = String(moment.components.seconds)
        let fraction = String(moment.components.attoseconds / 1_000_000_000_000_000)
        return String(repeating: " ", count: max(0, 4 - seconds.count)) + seconds + "."
            + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}
