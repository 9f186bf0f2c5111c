import Testing
import WorkerLoop

@testable import SimulatedLedger

/// Each control switches one safety mechanism off, and the simulator must then find a violation. Otherwise it could not
/// find a bug in that mechanism.
///
/// The check that watches the mechanism itself is off too, so that the found violation is the one that the mechanism
/// prevents.
@Suite(.enabled(if: Seeds.single == nil)) struct NegativeControlTests {
    struct Control: Sendable, CustomTestStringConvertible {
        let name: String
        let off: SafetyMechanisms
        let tolerated: [Invariant]
        let falls: Invariant
        var mode: WorkerLoopStateMachine.Mode?
        /// Nil if the seed decides.
        var isComb: Bool?
        /// Whether one row changes more often than a batch takes, and is never read under a lock.
        var neverLocks = false

        var testDescription: String { name }
    }

    static let controls = [
        Control(
            name: "without the fence a zombie updates rows twice, set-based", off: .fence, tolerated: [.i2, .i3],
            falls: .i1, mode: .setBased),
        // The compare defers the zombie's rows, so they are computed once more.
        Control(
            name: "without the fence a zombie updates rows twice, row-based", off: .fence, tolerated: [.i2, .i3],
            falls: .i1, mode: .rowBased),
        Control(
            name: "without the fence a lower epoch writes", off: .fence, tolerated: [.i1, .i2, .i6], falls: .i3),
        Control(
            name: "with a checkpoint outside the transaction rows are updated twice", off: .checkpoint,
            tolerated: [.i2, .i3], falls: .i1),
        Control(
            name: "a lost checkpoint is seen at once", off: .checkpoint, tolerated: [], falls: .i2),
        Control(
            name: "without the compare an outside change is overwritten", off: .compare, tolerated: [], falls: .i6,
            mode: .rowBased),
        Control(
            name: "without the end of its stretch in the ledger rows are lost or updated twice", off: .stretch,
            tolerated: [.i2], falls: .i1, isComb: true),
        Control(
            name: "without the fence a zombie updates rows of a stretch twice", off: .fence, tolerated: [.i2, .i3],
            falls: .i1, mode: .setBased, isComb: true),
        Control(
            name: "a coordinator that trusts its memory concludes a run with open shards", off: .ledgerDecides,
            tolerated: [.i7], falls: .i5),
        Control(
            name: "without the locking read a busy row is never done", off: [], tolerated: [], falls: .i7,
            mode: .rowBased, neverLocks: true),
    ]

    /// How many seeds are tried until the invariant falls.
    static let seedLimit = 400

    @Test(arguments: controls)
    func anInvariantFallsWithoutItsMechanism(control: Control) {
        for seed in 1...UInt64(Self.seedLimit) {
            let simulation = Simulation(
                seed: seed, mechanisms: .all.subtracting(control.off), tolerated: control.tolerated
            ) { scenario in
                if let mode = control.mode { scenario.mode = mode }
                if control.isComb == true, scenario.comb == nil {
                    scenario.comb = SimulatedComb(
                        stripes: 3, batchRows: scenario.batchRows, stretchRows: scenario.batchRows * 6)
                }
                guard control.neverLocks else { return }
                scenario.deferralLimit = .max
                scenario.hotKeys = 1
                scenario.outsideEvery = .milliseconds(4)
            }
            guard let violation = simulation.run(), violation.invariant == control.falls else { continue }
            return
        }
        Issue.record("\(Self.seedLimit) seeds, and \(control.falls.rawValue) never fell: \(control.name)")
    }
}
