import Report
import Sharding
import Testing

@testable import CoordCLI

private let mebibyte: Int64 = 1 << 20

private func worker(
    _ pid: Int32, host: String = "db1", shard: Int32? = 12, rss: Int64 = 14_889_779, peak: Int64 = 15 * mebibyte,
    silent: Duration = .zero
) -> WorkerProgress {
    WorkerProgress(
        WorkerRecord(
            id: WorkerID("\(host)\(pid)"), host: host, pid: pid, shard: shard.map { ShardID($0) }, rowsDone: 100,
            rowsPerSecond: 19_204, rssBytes: rss, peakRSSBytes: peak), silentFor: silent)
}

private func example(workers: [WorkerProgress] = [worker(41)]) -> RunReport {
    RunReport(
        run: RunID(3), job: "rebuild-field3", rowsDone: 630_412, rowsEstimated: 1_000_000, rowsPerSecond: 152_310,
        timeLeft: .seconds(1.2), elapsed: .seconds(6),
        shards: ShardCounts(pending: 44, running: 8, done: 12), workers: workers)
}

/// The display cells of the characters in these tests, counted without the code under test.
private func cells(_ line: String) -> Int {
    line.unicodeScalars.reduce(0) { sum, scalar in
        switch scalar.value {
        case 0x300..<0x370, 0x200D: sum
        case 0x3000...0x9FFF, 0xFF00...0xFF60, 0x1F300...0x1FAFF: sum + 2
        default: sum + 1
        }
    }
}

private func withoutColor(_ line: String) -> String {
    var (text, escape) = ("", false)
    for character in line {
        if character == "\u{1B}" { escape = true }
        if !escape { text.append(character) }
        if escape, character == "m" { escape = false }
    }
    return text
}

@Suite struct ReportViewTests {
    @Test(arguments: [
        (
            120,
            "rebuild-field3  run 3  ███████████████░░░░░░░░░  63%  630,412 / 1,000,000 rows  152,310 rows/s  ETA 0:02"
        ),
        (92, "rebuild-field3  run 3  ███████░░░░░  63%  630,412 / 1,000,000 rows  152,310 rows/s  ETA 0:02"),
        (80, "rebuild-field3  run 3  ███████░░░░░  63%  630,412 rows  152,310 rows/s  ETA 0:02"),
        (70, "rebuild-field3  █████░░░  63%  630,412 rows  152,310 rows/s  ETA 0:02"),
        (60, "rebuild-field3  ███████░░░░░  63%  152,310 rows/s  ETA 0:02"),
        (40, "rebuild-field3  █████░░░  63%  ETA 0:02"),
        (30, "rebuild-fie…  63%  ETA 0:02"),
        (14, "63%  ETA 0:02"),
        (5, "63%"),
        (2, "6…"),
    ])
    func firstLineDropsTheLeastImportantFirst(width: Int, line: String) {
        #expect(ReportView.bars(example(), width: width, height: 9, color: false).first == line)
    }

    @Test func workersAndShardsFollow() {
        let workers = [
            worker(41), worker(7, host: "database-2", shard: nil, rss: 900 << 10, silent: .seconds(12)),
        ]
        #expect(
            ReportView.bars(example(workers: workers), width: 100, height: 9, color: false).dropFirst() == [
                "  db1:41        shard 12    19,204 rows/s  14.2 MiB (peak 15.0)",
                "  database-2:7  next shard  19,204 rows/s  900.0 KiB (peak 15.0 MiB)  silent 0:12",
                "shards 12 done, 8 running, 44 pending, 0 failed",
            ])
    }

    @Test func aWorkerIsIdleOnlyWhileItDoesNothing() {
        var report = example(workers: [worker(1, shard: nil)])
        let line = { ReportView.bars(report, width: 90, height: 9, color: false)[1] }
        #expect(line().hasPrefix("  db1:1  next shard  19,204 rows/s"))
        report.workers[0].record.rowsPerSecond = 0
        #expect(line().hasPrefix("  db1:1  idle  0 rows/s"))
    }

    @Test(arguments: [
        (60, "  db1:41  shard 12  19,204 rows/s  14.2 MiB (peak 15.0)"),
        (50, "  db1:41  shard 12  19,204 rows/s  14.2 MiB"),
        (40, "  db1:41  shard 12  19,204 rows/s"),
        (30, "  db1:41  19,204 rows/s"),
        (10, "  db1:41 …"),
        (8, "  db1:4…"),
    ])
    func workerLinesLoseColumns(width: Int, line: String) {
        #expect(ReportView.bars(example(), width: width, height: 9, color: false)[1] == line)
    }

    @Test(arguments: [
        (101, "  db1:41  shard 12  19,204 rows/s  14.2 MiB (peak 15.0) + 58.0 MiB program  waits for a lock of pid 7"),
        (90, "  db1:41  shard 12  19,204 rows/s  14.2 MiB + 58.0 MiB program  waits for a lock of pid 7"),
        (80, "  db1:41  shard 12  19,204 rows/s  14.2 MiB  waits for a lock of pid 7"),
        (65, "  db1:41  shard 12  19,204 rows/s  waits for a lock of pid 7"),
        (59, "  db1:41  shard 12  19,204 rows/s  waits for a lock of pid…"),
        (58, "  db1:41  19,204 rows/s  waits for a lock of pid 7"),
    ])
    func workerLinesShowTheProgramAndWhatIsWaitedFor(width: Int, line: String) {
        var report = example()
        report.workers[0].programRSSBytes = 58 * mebibyte
        report.workers[0].wait = WorkerWait(words: "waits for a lock of pid 7")
        #expect(ReportView.bars(report, width: width, height: 9, color: false)[1] == line)
        report.workers[0].silentFor = .seconds(60)
        #expect(
            ReportView.bars(report, width: 140, height: 9, color: false)[1].hasSuffix(
                "program  silent 1:00, waits for a lock of pid 7"))
    }

    @Test(arguments: [
        (47, "shards 12 done, 8 running, 44 pending, 0 failed"), (46, "12 done, 8 running, 44 pending, 0 failed"),
        (39, "12/64 done, 0 failed"), (19, "0 failed"), (5, "0 fa…"),
    ])
    func shardLineKeepsTheFailed(width: Int, line: String) {
        #expect(ReportView.bars(example(), width: width, height: 9, color: false).last == line)
    }

    @Test func aLongHostIsCutAndItsPidStays() {
        let line = ReportView.bars(
            example(workers: [worker(4711, host: String(repeating: "x", count: 90))]), width: 60, height: 9,
            color: false)[1]
        #expect(line == "  xxxxxxxxxxxxxx…:4711  shard 12  19,204 rows/s  14.2 MiB")
    }

    @Test(arguments: [
        (7, ["db1:0", "db1:1", "db1:2", "db1:3", "db1:4"]),
        (6, ["db1:0", "db1:1", "db1:2", "2 more workers"]),
        (4, ["db1:0", "4 more workers"]),
        (3, ["5 workers"]),
        (2, []),
    ])
    func workersBeyondTheHeightAreSummed(height: Int, names: [String]) {
        let workers = (0..<5).map { worker($0, shard: $0, silent: .seconds($0 == 4 ? 60 : 0)) }
        let lines = ReportView.bars(example(workers: workers), width: 90, height: height, color: false)
        #expect(lines.count == height)
        #expect(zip(lines.dropFirst(), names).allSatisfy { $0.hasPrefix("  " + $1 + "  ") })
        #expect(lines.last?.hasPrefix("shards ") == true)
        if height == 4 {
            #expect(lines[2] == "  4 more workers           76,816 rows/s  56.8 MiB              1 silent")
        }
    }

    @Test func theConditionIsShownAtEveryHeightThatHasRoomForIt() {
        var report = example()
        report.conditions = [.databaseAway(reason: "gone", since: .seconds(3))]
        let text = "the database is away, trying again: gone"
        let lines = { ReportView.bars(report, width: $0, height: $1, color: false) }
        #expect(lines(89, 9).last == "shards 12 done, 8 running, 44 pending, 0 failed  " + text)
        #expect(lines(80, 9).suffix(2) == ["shards 12 done, 8 running, 44 pending, 0 failed", text])
        #expect(lines(60, 2).last == text)
        #expect(lines(60, 1).count == 1)
        #expect(lines(60, 0).isEmpty)
        #expect(lines(0, 9).isEmpty)
    }

    /// At 80 columns and a limited height, each condition has its own line, and the rest are counted.
    @Test func everyConditionHasALineAndThoseBeyondTheirNumberAreCounted() {
        var report = example()
        report.conditions = [
            .windingDown(.draining), .databaseAway(reason: "no route to host", since: .zero),
            .ledgerLocked(reason: "canceling statement due to lock timeout", since: .zero), .noWorkers,
        ]
        let shards = "shards 12 done, 8 running, 44 pending, 0 failed"
        let texts = [
            "draining: each worker finishes its batch", "the database is away, trying again: no route to host",
            "the ledger is locked, trying again: canceling statement due to lock timeout", "waiting for workers",
        ]
        func tail(_ height: Int) -> [String] {
            Array(ReportView.bars(report, width: 80, height: height, color: false).dropFirst())
        }
        #expect(tail(24) == ["  db1:41  shard 12  19,204 rows/s  14.2 MiB (peak 15.0)", shards] + texts)
        #expect(tail(6) == [shards] + texts)
        let cut = "the ledger is locked, trying again: canceling statement due to lock…; and 1 more"
        #expect(tail(5) == [shards] + texts[..<2] + [cut])
        #expect(tail(2) == ["draining: each worker finishes its batch; and 3 more"])
        report.conditions.append(.cannotBegin(ProcessName(host: "db2", pid: 9), reason: "no room"))
        #expect(tail(24).suffix(5) == [shards] + texts[..<3] + ["waiting for workers; and 1 more"])
    }

    @Test func whatAWorkersLineShowsIsNotRepeatedBelow() {
        var report = example()
        let wait = WorkerWait(words: "waits for pid 7")
        report.workers[0].wait = wait
        report.conditions = [
            .workerSilent(report.workers[0].process, since: .seconds(6)),
            .workerWaits(report.workers[0].process, nil, wait),
        ]
        let lines = ReportView.bars(report, width: 80, height: 9, color: false)
        #expect(lines.count == 3)
        #expect(lines[1] == "  db1:41  shard 12  19,204 rows/s  14.2 MiB (peak 15.0)  waits for pid 7")
        // The one line of a log shows no workers, so it needs their conditions.
        #expect(
            ReportView.line(report).hasSuffix(
                "; worker db1 pid 41 has been silent for 0:06; worker db1 pid 41 waits for pid 7"))
    }

    @Test func zeroRowsAndZeroWorkers() {
        var report = RunReport(run: RunID(1), job: "j")
        #expect(
            ReportView.bars(report, width: 80, height: 9, color: false) == [
                "j  run 1  ░░░░░░░░░░░░░░░░░░░░░░░░   0%  0 rows  0 rows/s  ETA unknown", "  no workers",
                "shards 0 done, 0 running, 0 pending, 0 failed",
            ])
        report.shards.done = 1
        report.elapsed = .seconds(3)
        #expect(
            ReportView.bars(report, width: 80, height: 9, color: false) == [
                "j  run 1  ████████████████████████  100%  0 rows  0 rows/s  took 0:03",
                "shards 1 done, 0 running, 0 pending, 0 failed",
            ])
    }

    @Test func colorMarksTheBarAndFailedShardsAndNothingElseChanges() {
        var report = example()
        report.shards.failed = 2
        let plain = ReportView.bars(report, width: 80, height: 9, color: false)
        let colored = ReportView.bars(report, width: 80, height: 9, color: true)
        #expect(colored.map(withoutColor) == plain)
        #expect(colored[0].contains("\u{1B}[32m███████\u{1B}[0m"))
        #expect(colored[2].hasSuffix("\u{1B}[31m2 failed\u{1B}[0m"))
        #expect(!plain.joined().contains("\u{1B}"))
    }

    @Test func namesCannotMoveTheCursor() {
        var report = example(workers: [worker(1, host: "evil\u{1B}[2J\n\u{202E}")])
        report.job = "a\rb\u{9B}c"
        report.conditions = [.databaseAway(reason: "x\u{7}y\nz", since: .zero)]
        let text =
            ReportView.bars(report, width: 100, height: 9, color: false).joined()
            + ReportView.line(report)
        #expect(text.contains("evil?[2J??:1"))
        #expect(text.contains("a?b?c"))
        #expect(text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control && $0 != "\u{202E}" })
    }

    @Test func wideNamesCountTwoCells() {
        var report = example()
        report.job = "再構築フィールド三"
        let line = ReportView.bars(report, width: 40, height: 3, color: false)[0]
        #expect(line == "再構築フィール…  █████░░░  63%  ETA 0:02")
        #expect(cells(line) == 40)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func noLineIsEverWiderNorTheWholeHigher(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let names = [
            "", "j", "rebuild-field3", "再構築フィールド", "e\u{301}te\u{301}", "👩‍💻🚀", String(repeating: "很", count: 70),
            String(repeating: "n", count: 150), "a\tb",
        ]
        func name() -> String { names.randomElement(using: &generator) ?? "" }
        func number() -> Int64 { .random(in: 0...(1 << Int.random(in: 0...61, using: &generator)), using: &generator) }
        func count() -> Int { Int(number() >> 20) }
        for width in Array(1..<20) + Array(20...200) {
            let workers = (0..<Int.random(in: 0...12, using: &generator)).map { index in
                WorkerProgress(
                    WorkerRecord(
                        id: WorkerID("\(index)"), host: name(), pid: Int32(truncatingIfNeeded: number()),
                        shard: index % 3 == 0 ? nil : ShardID(Int32(truncatingIfNeeded: number())),
                        rowsPerSecond: Double(number()) / 3, rssBytes: number(), peakRSSBytes: number()),
                    programRSSBytes: index % 2 == 0 ? 0 : number(),
                    wait: index % 5 == 0 ? WorkerWait(words: name()) : nil,
                    silentFor: .seconds(index % 4 == 0 ? number() >> 20 : 0))
            }
            let report = RunReport(
                run: RunID(number()), job: name(), rowsDone: number(), rowsEstimated: number(),
                rowsPerSecond: Double(number()), timeLeft: width % 3 == 0 ? nil : .seconds(number() >> 20),
                elapsed: .seconds(number() >> 20),
                shards: ShardCounts(pending: count(), running: count(), done: count(), failed: count()),
                workers: workers,
                conditions: (0..<width % 7).map { .databaseAway(reason: name(), since: .seconds($0)) },
                conditionsLeftOut: width % 3)
            let height = Int.random(in: 1...10, using: &generator)
            let lines = ReportView.bars(report, width: width, height: height, color: false)
            #expect(lines.count <= height && !lines.isEmpty)
            for line in lines { #expect(cells(line) <= width, "\(line)") }
            #expect(ReportView.bars(report, width: width, height: height, color: true).map(withoutColor) == lines)
        }
    }
}

@Suite struct ReportLineTests {
    @Test func saysAllInOneLine() {
        var report = example()
        #expect(
            ReportView.line(report)
                == "rebuild-field3 run 3: 63%, 630,412 / 1,000,000 rows, 152,310 rows/s, ETA 0:02, elapsed 0:06, "
                + "shards 12 done, 8 running, 44 pending, 0 failed, 1 worker, peak 15.0 MiB a worker")
        report.conditions = [.windingDown(.cancelling), .noWorkers]
        report.conditionsLeftOut = 2
        report.workers = []
        #expect(
            ReportView.line(report).hasSuffix(
                "0 failed, 0 workers; cancelling: each worker finishes its batch; waiting for workers; and 2 more"))
    }

    @Test func aWrongEstimateIsNotShown() {
        var report = example()
        report.rowsDone = 1_000_001
        #expect(ReportView.line(report).hasPrefix("rebuild-field3 run 3: 99%, 1,000,001 rows, "))
    }
}
