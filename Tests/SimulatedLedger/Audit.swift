/// The invariants, as `docs/architecture.md` numbers them.
enum Invariant: String, Sendable, CaseIterable {
    /// Every row in scope has its update committed exactly once.
    case i1 = "I1"
    /// Every transaction that changed rows advanced exactly one cursor.
    case i2 = "I2"
    /// Epochs never go back, and no write happens under a lower epoch than the shard's.
    case i3 = "I3"
    /// The shards tile the key space.
    case i4 = "I4"
    /// A run is complete exactly when the ledger says that every shard is done.
    case i5 = "I5"
    /// A foreign change that is committed during the run is never overwritten.
    case i6 = "I6"
    /// After every fault has healed, the run finishes.
    case i7 = "I7"
    /// The promises of a state machine to its shell.
    case contract = "the contract between machine and shell"
}

struct Violation: Sendable, Equatable {
    var invariant: Invariant
    var message: String
}

/// An event out of the ordinary in a simulation. Each must occur for some seed, or the seeds prove little about it.
enum Happening: String, Sendable, CaseIterable {
    // Faults that the simulation injects.
    case workerCrashed, workerCrashedAfterCommit, workerFroze, workerFrozeBeforeWrite, coordinatorCrashed
    case coordinatorFroze, partitioned, ledgerOutage, failoverLostCommits, programBroken, statementStuck
    case connectionKilled, drainAsked, cancelAsked, shardsHeld
    case messageLost, messageRepeated, messageLate
    case connectionLostBeforeStatement, commitAnswerLost, statementRanAfterItsConnection, retryableError
    case idleTransactionEnded, lockTimeout, outsideChange, outsideInsert, outsideDelete
    // Reactions of the state machines.
    case leaseExpired, leaseStalled, leaseReleased, attemptFailed, fenceRefused, openRefused, leaseRefused
    case staleTermRefused, commitAnswerRecovered, rowsDeferred, lockingRead, pipelinedRead, stretchTakenUp, tookOver,
        resumed
    case ledgerReloaded, ledgerBusy, holderEnded, ousted, ledgerGivenUp, rejoined, turnTaken, paceChanged,
        workerDismissed,
        workerAbandoned,
        workerDrained, shardFailed, revoked, assignedAgain
    case misfitsMended
    case concludedPartly, completed, cancelled
}

/// Watches a simulation: it counts happenings, keeps a trace on request, and holds the first violation.
final class Audit {
    private(set) var violation: Violation?
    private(set) var trace: [String] = []
    private(set) var counts = [Int](repeating: 0, count: Happening.allCases.count)
    let isTracing: Bool
    /// Invariants whose violation is not reported, because a negative control looks for its consequence.
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

    /// The time as seconds with milliseconds, in a column of fixed width.
    private static func stamp(_ moment: Duration) -> String {
        let seconds = String(moment.components.seconds)
        let fraction = String(moment.components.attoseconds / 1_000_000_000_000_000)
        return String(repeating: " ", count: max(0, 4 - seconds.count)) + seconds + "."
            + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}
