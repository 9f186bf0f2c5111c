import Sharding
import Testing

@testable import WorkerLoop

@Suite struct InvariantTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let words: String
        let damage: @Sendable (inout WorkerLoopStateMachine) -> Void
    }

    /// States that only a mistake in the machine can cause.
    static let damages = [
        Damage(testDescription: "a step without a lease", words: "a step is under way on no lease") { $0.work = nil },
        Damage(testDescription: "a lease without a step", words: "a lease is in hand and nothing is done about it") {
            $0.activity = .idle
        },
        Damage(testDescription: "a stopped worker with a lease", words: "a lease is in hand") {
            $0.activity = .stopped
        },
        Damage(testDescription: "a set job that computes", words: "a batch of a set job has rows") {
            $0.activity = .computing(summary(3))
        },
        Damage(testDescription: "a revoked lease that waits", words: "a lease that is to be put down waits") {
            $0.activity = .waiting(until: .seconds(1))
            $0.work?.revoked = true
        },
        Damage(testDescription: "retries without end", words: "3 failures of at most 3 are tried again") {
            $0.work?.failures = 3
        },
        Damage(testDescription: "refusals without end", words: "5 refusals of the fence are tried again") {
            $0.work?.refusals = 5
        },
        Damage(testDescription: "deferrals of rows that are not", words: "rows are counted as deferred that are not") {
            $0.work?.deferrals = [Key("7"): 1]
        },
    ]

    @Test(arguments: damages) func brokenInvariantIsNoticed(damage: Damage) {
        var machine = WorkerLoopStateMachine.amid(.applying)
        #expect(machine.checkInvariants() == nil)
        damage.damage(&machine)
        #expect(machine.checkInvariants()?.contains(damage.words) == true)
    }

    /// Events that the shell must not report: no message of the network can cause them.
    @Test(arguments: [nil] + Step.allCases.map { Optional($0) })
    func answerThatNoStepWaitsForIsTheShellsMistake(under: Step?) {
        for answer in Step.allCases where answer != under {
            // Applying and writing end with the same event.
            if [answer, under].allSatisfy({ $0 == .applying || $0 == .writing }) { continue }
            var machine = under.map { WorkerLoopStateMachine.amid($0) } ?? .joined(.rowBased)
            #expect(answer.succeed(&machine, now: .zero) == [])
            #expect(machine.checkInvariants()?.contains(" while it is \(under?.rawValue ?? "idle")") == true)
        }
    }

    @Test func failureOfNoStepIsTheShellsMistake() {
        var machine = WorkerLoopStateMachine.joined(.setBased)
        #expect(machine.stepFailed(StepError(.retryable, "x"), now: .zero) == [])
        #expect(machine.checkInvariants()?.hasPrefix("stepFailed") == true)
    }

    @Test func answerOfAStepThatARefusalOvertookIsNobodysMistake() {
        for step in Step.allCases {
            var machine = WorkerLoopStateMachine.amid(step)
            _ = machine.refused(reason: "protocol 2")
            #expect(machine.checkInvariants() == nil)
            #expect(step.succeed(&machine, now: .zero) == [])
            #expect(machine.checkInvariants() == nil)
        }
    }

    @Test func commitThatTakesTheShardNowhereIsTheShellsMistake() {
        var machine = WorkerLoopStateMachine.amid(.applying)
        _ = machine.batchCommitted(position(10, sequence: 1), done: false, read: nil, now: .zero)
        #expect(machine.checkInvariants() == nil)
        _ = machine.batchCommitted(position(10, sequence: 1), done: false, read: nil, now: .zero)
        #expect(machine.checkInvariants() == "a commit takes shard 3 epoch 1 from 1 to 1")
    }

    @Test func timeThatGoesBackIsTheShellsMistake() {
        var machine = WorkerLoopStateMachine.joined(.setBased)
        _ = machine.timePassed(now: .seconds(2))
        _ = machine.timePassed(now: .seconds(2))
        #expect(machine.checkInvariants() == nil)
        machine.heard(now: .seconds(1))
        #expect(machine.checkInvariants() == "the time goes back from 2.0 seconds to 1.0 seconds")
    }

    /// Whatever the network brings in whatever order, and however steps end, every invariant holds.
    @Test(arguments: [WorkerLoopStateMachine.Mode.setBased, .rowBased], 1...100 as ClosedRange<UInt64>)
    func noMessageAtAnyTimeBreaksAnInvariant(mode: WorkerLoopStateMachine.Mode, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var machine = WorkerLoopStateMachine.joined(mode)
        var now = Duration.zero
        var underWay: WorkerStep?
        var sequence: Int64 = 0
        for _ in 0..<300 {
            now += .milliseconds(Int.random(in: 0...1500, using: &random))
            let some = lease(.random(in: 0...2, using: &random), .random(in: 1...4, using: &random))
            let actions: [WorkerAction]
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<15: actions = machine.leaseAssigned(some, now: now)
            case 15..<25: actions = machine.leaseRevoked(some, now: now)
            case 25..<30: actions = machine.welcomed(now: now)
            case 30..<33: actions = machine.rejoinRequested(now: now)
            case 33: actions = machine.drainRequested(now: now)
            case 34..<60: actions = machine.timePassed(now: now)
            case 60..<75 where underWay != nil:
                underWay = nil
                let kind = StepError.Kind.allCases.randomElement(using: &random) ?? .permanent
                actions = machine.stepFailed(StepError(kind, "x"), now: now)
            default:
                guard let step = underWay else { continue }
                underWay = nil
                sequence += 1
                let after = position(1, sequence: sequence, deferred: Bool.random(using: &random) ? [7] : [])
                let done = Int.random(in: 0..<10, using: &random) == 0
                switch step {
                case .open: actions = machine.leaseOpened(after, now: now)
                case .apply: actions = machine.batchCommitted(after, done: done, read: nil, now: now)
                case .read: actions = machine.batchRead(summary(3, exhausted: done), now: now)
                case .compute: actions = machine.batchComputed(now: now)
                case .write(_, _, let readNext):
                    actions = machine.batchCommitted(
                        after, done: done, read: readNext && !done ? summary(1) : nil, now: now)
                case .discard: actions = []
                }
            }
            for case .step(let step) in actions where step != .discard {
                #expect(underWay == nil, "seed \(seed): \(step) while another is under way")
                underWay = step
            }
            if let broken = machine.checkInvariants() {
                Issue.record("seed \(seed): \(broken)")
                return
            }
        }
    }
}
