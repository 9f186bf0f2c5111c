import Ledger
import Postgres
import Sharding
import Support
import Testing

@Suite(.database) struct RunTests {
    private let store: TestLedger
    init() throws { store = try TestDatabase.current.ledger() }

    @Test func newRunHasItsDefinitionAndShards() throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: ["a'b", "c\"d,{}\\"]))
        let record = try store.reader.run(run)
        var expected = RunDefinition.sample()
        expected.searchPath = "\"$user\", public"
        #expect(record.definition == expected)
        #expect(record.state == .planned)
        #expect(record.counts == ShardCounts(pending: 3))
        #expect(record.rowsEstimated == 30)
        #expect(record.rowsDone == 0)
        #expect(!record.cancelAsked)
        #expect(record.coordinator == nil && record.startedAt == nil && record.finishedAt == nil)

        let shards = try store.reader.shards(of: run)
        #expect(shards.map(\.range) == ShardPlan.cut(at: ["a'b", "c\"d,{}\\"]).parts.map(\.range))
        #expect(shards.map(\.record) == (0..<3).map { ShardRecord(id: ShardID($0), rowsEstimated: 10) })
        #expect(shards.allSatisfy { $0.cursor == .start })
        #expect(try store.reader.shard(ShardID(1), of: run) == shards[1].record)
        #expect(try store.reader.shard(ShardID(3), of: run) == nil)
    }

    @Test func runKeepsWhatItsJobWasBoundTo() throws {
        var definition = RunDefinition.sample()
        definition.searchPath = #"app, "Odd, name""#
        definition.tableOID = 4_000_000_000
        definition.binding = #"{"key": ["id"]}"#
        definition.endKey = Key(["9", "a'b\"{},\\"])
        definition.settings = [
            "DateStyle": "ISO, MDY", "TimeZone": "Europe/Berlin", "odd \"name\"": "{a,b} \\ 'c'", "e": "",
        ]
        definition.batchRows = 250
        let plan = ShardPlan(parts: [
            ShardPlan.Part(range: KeyRange(after: nil, through: definition.endKey), rowsEstimated: 1)
        ])
        let run = try store.coordinator.createRun(definition, plan: plan)
        #expect(try store.reader.run(run).definition == definition)
        #expect(try store.reader.run(run).definition == definition)
        #expect(try store.value("SELECT shards FROM coord.run") == "1")
        #expect(try store.reader.run(run).rowsAbove == nil)
        try store.coordinator.noteRowsAbove(7, of: run)
        #expect(try store.reader.run(run).rowsAbove == 7)
    }

    @Test func planMustEndWhereTheRunDoes() throws {
        var definition = RunDefinition.sample()
        definition.endKey = Key("9")
        #expect(throws: TilingError.self) { _ = try store.coordinator.createRun(definition, plan: .cut(at: ["5"])) }
        #expect(try store.reader.runs().isEmpty)
    }

    @Test(arguments: [
        [],
        [KeyRange(after: Key("1"), through: nil)],
        [KeyRange(after: nil, through: Key("1"))],
        [KeyRange(after: nil, through: Key("1")), KeyRange(after: Key("2"), through: nil)],
        [KeyRange(after: nil, through: Key("2")), KeyRange(after: Key("1"), through: nil)],
        [KeyRange(after: nil, through: Key("1")), KeyRange(after: nil, through: nil)],
        [
            KeyRange(after: nil, through: Key("1")), KeyRange(after: Key("1"), through: Key("1")),
            KeyRange(after: Key("1"), through: nil),
        ],
    ])
    func rangesThatDoNotTileTheKeySpaceAreRefused(_ ranges: [KeyRange]) throws {
        let plan = ShardPlan(parts: ranges.map { ShardPlan.Part(range: $0, rowsEstimated: 1) })
        #expect(throws: TilingError.self) { _ = try store.coordinator.createRun(.sample(), plan: plan) }
        #expect(try store.reader.runs().isEmpty)
    }

    @Test func runWhoseShardsCannotBeWrittenIsNotWrittenEither() throws {
        try store.connection.execute("ALTER TABLE coord.shard ADD CHECK (id < 1)")
        #expect(throws: PostgresError.self) { _ = try store.coordinator.createRun(.sample(), plan: .cut(at: ["1"])) }
        #expect(try store.value("SELECT count(*) FROM coord.run") == "0")
        #expect(try store.value("SELECT count(*) FROM coord.event") == "0")
        _ = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
    }

    @Test func runWithManyShardsIsMadeAtOnce() throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: (1..<20_000).map(String.init)))
        #expect(try store.reader.run(run).counts.pending == 20_000)
        try KeyRange.checkTiling(try store.reader.shards(of: run).map(\.range))
    }

    @Test func unknownRunIsSaid() throws {
        let error = try ledgerError { _ = try store.reader.run(RunID(9)) }
        #expect(error.code == .unknownRun)
        #expect(error.message.contains("no run 9"))
        #expect(try store.reader.shards(of: RunID(9)).isEmpty)
    }

    @Test func runsComeNewestFirstUpToTheLimit() throws {
        let runs = try (0..<5).map { try store.coordinator.createRun(.sample("job\($0)"), plan: .cut(at: [])) }
        #expect(try store.reader.runs(limit: 3).map(\.id) == Array(runs.reversed().prefix(3)))
        #expect(try store.reader.runs().map(\.definition.name) == ["job4", "job3", "job2", "job1", "job0"])
    }

    @Test func unfinishedRunIsTheNewestOfItsName() throws {
        #expect(try store.reader.unfinishedRun(named: "job") == nil)
        let first = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        _ = try store.coordinator.createRun(.sample("other"), plan: .cut(at: []))
        #expect(try store.reader.unfinishedRun(named: "job")?.id == first)
        _ = try store.cancellation.cancel(first)
        #expect(try store.reader.unfinishedRun(named: "job") == nil)
        let second = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        #expect(try store.reader.unfinishedRun(named: "job")?.id == second)
    }

    @Test func jobHasOneUnfinishedRunAtMost() throws {
        let first = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        let error = try ledgerError { _ = try store.coordinator.createRun(.sample(), plan: .cut(at: ["1"])) }
        #expect(error.code == .owned(by: "?"))
        #expect(error.mend == "coord status")
        #expect(try store.reader.runs().map(\.id) == [first])
        #expect(try store.value("SELECT count(*) FROM coord.shard") == "1")
        _ = try store.coordinator.createRun(.sample("other"), plan: .cut(at: []))
    }

    @Test(arguments: RunState.allCases) func onlyCompleteAndCancelledRunsAreFinished(_ state: RunState)
        throws
    {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        try store.connection.execute("UPDATE coord.run SET state = '\(state.rawValue)'")
        #expect(try store.reader.run(run).state == state)
        #expect(state.isUnfinished == ![.complete, .cancelled].contains(state))
        #expect((try store.reader.unfinishedRun(named: "job") != nil) == state.isUnfinished)
    }

    @Test func runCountsItsShardsAndRows() throws {
        let ownership = try store.ownedRun(cutAt: ["1", "2", "3", "4"])
        let run = ownership.run
        _ = try LeasedShard(store, shard: 1, of: ownership)
        try store.end(2, of: run, as: .done)
        try store.end(3, of: run, as: .failed)
        try store.end(4, of: run, as: .done)
        try store.connection.execute("UPDATE coord.shard SET rows_done = 5 WHERE id >= 2")
        let record = try store.reader.run(run)
        #expect(record.counts == ShardCounts(pending: 1, running: 1, done: 2, failed: 1))
        #expect(record.counts.total == 5)
        #expect(record.rowsDone == 15)
    }

    // MARK: - Workers

    @Test func workersAreNotedAndRenewed() throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        var first = WorkerRecord(
            id: .first, host: "a", pid: 1, shard: ShardID(0), rowsDone: 10, rowsPerSecond: 2.5, rssBytes: 1 << 40,
            peakRSSBytes: 1 << 41, activity: "waits for pid 7")
        let second = WorkerRecord(id: .second, host: "b", pid: 2)
        try store.coordinator.note([], of: run)
        try store.coordinator.note([second, first], of: run)
        #expect(try store.reader.workers(of: run, includeGone: false) == [first, second])
        first.shard = nil
        first.rowsDone = 20
        try store.coordinator.note([first], of: run)
        #expect(try store.reader.workers(of: run, includeGone: false) == [first, second])
    }

    @Test func workersThatLeftOrFellSilentAreGone() throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        let first = WorkerRecord(
            id: .first, host: "a", pid: 1, shard: ShardID(0), rowsPerSecond: 3, activity: "applying")
        try store.coordinator.note([first, WorkerRecord(id: .second, host: "b", pid: 2)], of: run)
        try store.coordinator.noteLeft(.first, of: run)
        #expect(try store.reader.workers(of: run, includeGone: false).map(\.id) == [.second])
        let all = try store.reader.workers(of: run, includeGone: true)
        #expect(all.map(\.id) == [.first, .second])
        #expect(all[0].shard == nil && all[0].rowsPerSecond == 0 && all[0].activity.isEmpty)

        try store.connection.execute("UPDATE coord.worker SET seen_at = now() - interval '31 seconds'")
        #expect(try store.reader.workers(of: run, includeGone: false).isEmpty)
        try store.coordinator.note([first], of: run)
        #expect(try store.reader.workers(of: run, includeGone: false) == [first])
    }

    @Test func detailsTellWhenAWorkerCameAndWhetherItLeftOrFellSilent() throws {
        let run = try store.coordinator.createRun(.sample(), plan: .cut(at: []))
        let first = WorkerRecord(id: .first, host: "a", pid: 1, shard: ShardID(0), activity: "applying")
        let second = WorkerRecord(id: .second, host: "b", pid: 2)
        try store.coordinator.note([first, second], of: run)
        try store.connection.execute("UPDATE coord.worker SET joined_at = '2026-01-02 03:04:05Z'")
        // The next figures leave the time at which it came.
        try store.coordinator.note([first], of: run)
        try store.coordinator.noteLeft(.second, of: run)
        var details = try store.reader.workerDetails(of: run)
        #expect(details.map(\.record.id) == [.first, .second])
        #expect(details.map(\.record.activity) == ["applying", ""])
        #expect(details.map(\.joinedAt) == [1_767_323_045, 1_767_323_045])
        #expect(details.map(\.isPresent) == [true, false])
        #expect(details[0].leftAt == nil && details[1].leftAt.map { $0 >= details[1].seenAt } == true)

        try store.connection.execute("UPDATE coord.worker SET seen_at = now() - interval '31 seconds'")
        details = try store.reader.workerDetails(of: run)
        #expect(details.map(\.isPresent) == [false, false])
        #expect(details[0].leftAt == nil)
    }
}
