import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

@Suite(.database) struct PaceTests {
    private let store: TestLedger
    init() throws { store = try TestDatabase.current.ledger() }

    private func who() throws -> String { "\(try store.value("SELECT session_user") ?? "?") on far" }

    private func renewed(_ ownership: Ownership) throws -> Pace? {
        try #require(try store.coordinator.renew(ownership, rowsPerSecond: 0)).pace
    }

    @Test func coordinatorLearnsTheLimitsAtItsNextRenewalAndEachChangeIsAnEvent() throws {
        let ownership = try store.ownedRun()
        let run = ownership.run
        #expect(try renewed(ownership) == nil)
        let pace = Pace(writers: 4, rowsPerSecond: 20_000, by: try who())
        let change = PaceChange(writers: .most(4), rowsPerSecond: .most(20_000))
        #expect(
            try store.control.pace(run, change, from: "far")
                == RunControl.Pacing(before: nil, after: pace, coordinator: "host pid 7"))
        #expect(try renewed(ownership) == pace)
        #expect(try store.reader.run(run).pace == pace)
        #expect(
            try store.value(
                "SELECT detail->>'rows_per_second' || ' ' || (detail->>'writers') || ' ' || (detail->>'from') FROM coord.event "
                    + "WHERE kind = 'asked_pace'") == "20000 4 \(who())")
        // What is not named stays.
        let slower = try store.control.pace(run, PaceChange(rowsPerSecond: .most(100)), from: "far")
        #expect(slower.before == pace)
        #expect(slower.after == Pace(writers: 4, rowsPerSecond: 100, by: try who()))
        let lifted = try store.control.pace(run, PaceChange(writers: .lifted), from: "far").after
        #expect(lifted == Pace(rowsPerSecond: 100, by: try who()))
        // The same again is no change, and no event.
        _ = try store.control.pace(run, PaceChange(rowsPerSecond: .most(100)), from: "far")
        #expect(try store.control.pace(run, .off, from: "far").after == nil)
        #expect(try renewed(ownership) == nil)
        #expect(try store.value("SELECT pace_by IS NULL AND pace_until IS NULL FROM coord.run") == "t")
        #expect(try store.events(of: run).filter { $0 == "asked_pace" }.count == 4)
    }

    @Test func limitsEndByThemselves() throws {
        let ownership = try store.ownedRun()
        let run = ownership.run
        let change = PaceChange(rowsPerSecond: .most(7), seconds: .most(3600))
        let until = try #require(try store.control.pace(run, change, from: "far").after?.until)
        let now = try #require(Double(try store.value("SELECT extract(epoch FROM now())") ?? ""))
        #expect((3590...3610).contains(until - now))
        // A change of another limit leaves the end.
        #expect(try store.control.pace(run, PaceChange(writers: .most(2)), from: "far").after?.until == until)
        try store.connection.execute("UPDATE coord.run SET pace_until = now() - interval '1 ms'")
        #expect(try renewed(ownership) == nil)
        #expect(try store.reader.run(run).pace == nil)
        // Limits that are over are not taken up again.
        let fresh = try store.control.pace(run, PaceChange(writers: .most(3)), from: "far")
        #expect(fresh.before == nil)
        #expect(fresh.after == Pace(writers: 3, by: try who()))
        // Nor is their end.
        #expect(try store.value("SELECT pace_until IS NULL FROM coord.run") == "t")
        let ended = try store.control.pace(run, PaceChange(seconds: .most(60)), from: "far").after
        #expect(ended?.writers == 3 && ended?.until != nil)
        #expect(try store.control.pace(run, PaceChange(seconds: .lifted), from: "far").after?.until == nil)
    }

    @Test func limitsOutlastACoordinatorAndEndWithTheRun() throws {
        let ownership = try store.ownedRun()
        let run = ownership.run
        try store.coordinator.release(ownership, as: .paused)
        let change = PaceChange(writers: .most(1))
        #expect(try store.control.pace(run, change, from: "far").coordinator == nil)
        let again = try store.coordinator.takeOver(run, as: .rival, host: "other", pid: 8)
        #expect(try renewed(again)?.writers == 1)
        try store.connection.execute("UPDATE coord.run SET state = 'complete'")
        let over = try ledgerError { _ = try store.control.pace(run, change, from: "far") }
        #expect(over.code == .wrongState("complete"))
        #expect(try ledgerError { _ = try store.control.pace(RunID(99), change, from: "far") }.code == .unknownRun)
    }
}
