import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

@Suite(.database) struct PauseTests {
    private let store: TestLedger
    init() throws { store = try TestDatabase.current.ledger() }

    private func who() throws -> String { "\(try store.value("SELECT session_user") ?? "?") on far" }

    private func takeOver(_ run: RunID, endsPause: Bool = false) throws -> Ownership {
        try store.coordinator.takeOver(run, as: .rival, host: "other", pid: 8, endsPause: endsPause)
    }

    @Test func coordinatorLearnsAtItsNextRenewalWhoAskedForAPause() throws {
        let ownership = try store.ownedRun()
        let run = ownership.run
        #expect(try store.coordinator.renew(ownership, rowsPerSecond: 0)?.pausedBy == nil)
        let asked = RunControl.Pausing(isNew: true, askedBy: try who(), coordinator: "host pid 7")
        #expect(try store.control.pause(run, from: "far") == asked)
        #expect(try store.reader.run(run).state == .running)
        #expect(try store.reader.run(run).pausedBy == who())
        let renewal = try store.coordinator.renew(ownership, rowsPerSecond: 0)
        #expect(try renewal == CoordinatorLedger.Renewal(cancelAsked: false, pausedBy: who()))
        #expect(try store.events(of: run).suffix(1) == ["asked_paused"])
        #expect(
            try store.value("SELECT detail->>'by' FROM coord.event WHERE kind = 'asked_paused'")
                == store.value("SELECT session_user"))
        #expect(try store.coordinator.release(ownership, as: .paused) == .paused)
        #expect(try store.reader.run(run).pausedBy == who())
    }

    @Test func secondRequestChangesNothingAndNamesWhoAskedFirst() throws {
        let ownership = try store.ownedRun()
        _ = try store.control.pause(ownership.run, from: "far")
        let before = try store.value("SELECT r::text FROM coord.run AS r")
        let events = try store.events(of: ownership.run)
        let again = RunControl.Pausing(isNew: false, askedBy: try who(), coordinator: "host pid 7")
        #expect(try store.control.pause(ownership.run, from: "near") == again)
        #expect(try store.value("SELECT r::text FROM coord.run AS r") == before)
        try store.coordinator.release(ownership, as: .paused)
        let paused = RunControl.Pausing(isNew: false, askedBy: try who(), coordinator: nil)
        #expect(try store.control.pause(ownership.run, from: "near") == paused)
        #expect(try store.events(of: ownership.run) == events + ["run_paused"])
    }

    @Test func pausedRunIsTakenOverOnlyByWhoEndsThePause() throws {
        let ownership = try store.ownedRun()
        let run = ownership.run
        _ = try store.control.pause(run, from: "far")
        try store.coordinator.release(ownership, as: .paused)
        let refused = try ledgerError { _ = try takeOver(run) }
        #expect(try refused.code == .paused(by: who()))
        #expect(refused.mend?.contains("coord resume \(run)") == true)
        #expect(try store.reader.run(run).state == .paused)

        let taken = try takeOver(run, endsPause: true)
        #expect(try store.reader.run(run).pausedBy == nil)
        #expect(try store.coordinator.renew(taken, rowsPerSecond: 0)?.pausedBy == nil)
        #expect(try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), taken) != nil)
        #expect(try store.events(of: run).contains("asked_running"))
        // The next coordinator needs no permission.
        try store.coordinator.release(taken, as: .paused)
        _ = try takeOver(run)
    }

    @Test func pauseDoesNotOutrunACoordinatorAtWork() throws {
        let ownership = try store.ownedRun()
        _ = try store.control.pause(ownership.run, from: "far")
        for endsPause in [false, true] {
            let refused = try ledgerError { _ = try takeOver(ownership.run, endsPause: endsPause) }
            #expect(refused.code == .owned(by: "host pid 7"))
        }
        #expect(try store.reader.run(ownership.run).pausedBy == who())
    }

    @Test func runWithoutACoordinatorIsPausedAtOnceAndItsLeasesAreTakenBack() throws {
        let planned = try store.coordinator.createRun(.sample("planned"), plan: .cut(at: []))
        let dead = try store.ownedRun("dead")
        let leased = try LeasedShard(store, of: dead)
        try store.forgetSession(of: dead.run)
        for run in [planned, dead.run] {
            #expect(
                try store.control.pause(run, from: "far")
                    == RunControl.Pausing(isNew: true, askedBy: who(), coordinator: nil))
            let record = try store.reader.run(run)
            #expect(try record.state == .paused && record.pausedBy == who() && record.finishedAt == nil)
        }
        // Neither the workers nor a coordinator that wakes up goes on.
        #expect(try store.worker.open(leased.lease, owner: leased.worker, run: dead.run, keyColumns: 1) == nil)
        #expect(try store.coordinator.renew(dead, rowsPerSecond: 0) == nil)
        #expect(try store.coordinator.standing(dead) == .paused(by: who()))
    }

    /// The coordinator died while its workers drained.
    @Test func requestForARunWhoseCoordinatorHasDiedMeanwhilePausesIt() throws {
        let ownership = try store.ownedRun()
        _ = try store.control.pause(ownership.run, from: "far")
        try store.forgetSession(of: ownership.run)
        let again = RunControl.Pausing(isNew: true, askedBy: try who(), coordinator: nil)
        #expect(try store.control.pause(ownership.run, from: "near") == again)
        #expect(try store.reader.run(ownership.run).state == .paused)
    }

    @Test func runThatIsOverOrUnknownIsNotPaused() throws {
        let complete = try store.ownedRun("complete")
        try store.end(0, of: complete.run, as: .done)
        _ = try store.coordinator.conclude(complete)
        let cancelled = try store.ownedRun("cancelled")
        try store.cancellation.cancel(cancelled.run)
        for (run, state) in [(complete.run, "complete"), (cancelled.run, "cancelled")] {
            let error = try ledgerError { _ = try store.control.pause(run, from: "far") }
            #expect(error.code == .wrongState(state) && error.message.contains("is \(state) already"))
            #expect(try store.reader.run(run).pausedBy == nil)
        }
        #expect(try ledgerError { _ = try store.control.pause(RunID(99), from: "far") }.code == .unknownRun)
    }

    @Test func pausedRunCanBeCancelled() throws {
        let ownership = try store.ownedRun()
        _ = try store.control.pause(ownership.run, from: "far")
        try store.cancellation.cancel(ownership.run)
        let record = try store.reader.run(ownership.run)
        #expect(record.state == .cancelled && record.cancelAsked && record.pausedBy == nil)
    }

    @Test func pauseThatMeetsALockChangesNothing() throws {
        let dead = try store.ownedRun()
        try store.forgetSession(of: dead.run)
        let other = try TestDatabase.current.connect()
        try other.execute("BEGIN")
        try other.execute("SELECT FROM coord.run FOR UPDATE")
        let error = try ledgerError { _ = try store.control.pause(dead.run, from: "far") }
        #expect(error.code == .locked(by: []) && error.message.contains("nothing was changed"))
        try other.execute("ROLLBACK")
        #expect(try store.reader.run(dead.run).pausedBy == nil)
    }
}
