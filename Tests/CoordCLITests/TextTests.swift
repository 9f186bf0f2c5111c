import Coordinator
import Sharding
import Testing

@testable import CoordCLI
@testable import Ledger

/// Foreign text never controls the terminal.
@Suite struct VisibleTextTests {
    @Test(arguments: [
        ("plain ä 再 👩‍💻", "plain ä 再 👩‍💻"), ("\u{1B}[2J", "\\e[2J"), ("a\u{7}b\u{8}", "a\\x07b\\x08"),
        ("\u{9B}31m\u{7F}", "\\x9B31m\\x7F"), ("\u{202E}x\u{2028}", "\\u{202E}x\\u{2028}"), ("\u{AD}", "\\xAD"),
        ("a\rb", "a\\rb"), ("", ""),
    ])
    func controlsAreShownAndNotObeyed(text: String, shown: String) {
        #expect(text.visible == shown)
        #expect(text.visibleLines == shown)
    }

    @Test func lineEndsAreKeptWhereLinesAreMeant() {
        #expect("a\nb\tc".visible == "a\\nb\\tc")
        #expect("a\r\nb\tc\rd".visibleLines == "a\nb\tc\\rd")
        #expect("a\ncoord: run 1 is complete\n".indented == "a\n    coord: run 1 is complete")
    }
}

@Suite struct SuggestionTests {
    private func completed(_ text: String, _ arguments: [String], job: String? = nil, schema: String? = nil) -> String {
        Suggestion.completed(text, arguments: ["coord"] + arguments, jobDatabase: job, schema: schema)
    }

    @Test func theSchemaOfTheLedgerGoesToCommandsThatDoNotReadTheFile() {
        let text = "coord status 3, coord worker --connect x, coord start a.yaml"
        #expect(
            completed(text, [], schema: "\"My \"\"Ledger\"")
                == "coord status 3 --ledger-schema '\"My \"\"Ledger\"', coord worker --ledger-schema '\"My \"\"Ledger\"' "
                + "--connect x, coord start a.yaml")
        #expect(completed("coord status 3", ["--ledger-schema=a"], schema: "b") == "coord status 3 --ledger-schema a")
    }

    @Test func aQuoteThatSomethingCombinesWithIsQuotedToo() {
        #expect(Suggestion.quoted("a'\u{301}b") == "'a'\\''\u{301}b'")
    }

    @Test(arguments: [
        (["--database", "service=x"], "coord resume 2 --database service=x   goes on"),
        (["--database=host=a user='b'"], "coord resume 2 --database 'host=a user='\\''b'\\'''   goes on"),
        (
            ["--ledger-schema", "ops", "--database", "x"],
            "coord resume 2 --database x --ledger-schema ops   goes on"
        ),
        (["start", "--", "--database", "x"], "coord resume 2   goes on"),
        (["--database", "postgresql://u:hunter2@h/d"], "coord resume 2   goes on"),
        ([], "coord resume 2   goes on"),
    ])
    func commandsKeepWhatLeadsToTheDatabase(arguments: [String], text: String) {
        #expect(completed("coord resume 2   goes on", arguments) == text)
    }

    @Test func everyCommandOfATextIsCompletedAndNothingElse() {
        #expect(
            completed(
                "coord: run 2 of coord stopped\n  coord start a.yaml --new, or coord ledger install", ["--database=x"])
                == "coord: run 2 of coord stopped\n  coord start --database x a.yaml --new, or "
                + "coord ledger install --database x")
    }

    @Test func theDatabaseOfTheJobFileGoesToCommandsThatDoNotReadIt() {
        #expect(
            completed("coord status 3, coord start a.yaml", [], job: "service=y")
                == "coord status 3 --database service=y, coord start a.yaml")
        #expect(completed("coord status 3", ["--database", "z"], job: "y") == "coord status 3 --database z")
    }
}

@Suite struct AdviceTests {
    @Test func runThatCanGoOnIsToBeResumedUnlessAnotherCoordinatorHasIt() {
        let away = CoordinatorError.ledgerAway(reason: "no route")
        #expect(Coordination.advice(run: 3, isOver: false, after: away) == "\n  coord resume 3   goes on")
        #expect(Coordination.advice(run: 3, isOver: true, after: away) == "\n  coord status 3")
        #expect(Coordination.advice(run: 3, isOver: false, after: CoordinatorError.ousted) == "\n  coord status 3")
    }
}

@Suite struct StorageTextTests {
    private let begin = StorageFigures(
        heapBytes: 1000, indexBytes: 500, updates: 10, hotUpdates: 4, walBytes: 0, rowsDone: 0)

    @Test func growthIsToldThoughTheShareOfHOTUpdatesIsNotKnown() {
        var last = begin
        (last.heapBytes, last.indexBytes, last.updates, last.hotUpdates) = (1500, 600, 0, 0)
        let change = StorageChange(begin: begin, last: last)
        #expect(StorageObject(change).text == "storage: table 1.5 x, indexes 1.2 x")
    }

    @Test func tableToWhichNothingHasHappenedHasNoLine() {
        #expect(StorageObject(StorageChange(begin: begin, last: begin)).text == nil)
    }
}

@Suite struct SummaryTextTests {
    private func summary(workers: Int, error: String? = nil) -> Summary {
        let record = RunRecord(
            id: RunID(3), definition: RunDefinition(name: "job", text: "", directory: "", fingerprint: "", table: "t"),
            state: .complete, cancelAsked: false, rowsEstimated: 5, rowsDone: 5, rowsPerSecond: 0,
            counts: ShardCounts(done: 2), coordinator: nil, startedAt: nil, finishedAt: nil, term: 1)
        return Summary(
            complete: record,
            workers: (0..<workers).map { number in
                WorkerRecord(
                    id: WorkerID("\(number)"), host: "h\u{1B}[2J", pid: Int32(number),
                    peakRSSBytes: Int64(number) << 20)
            })
    }

    @Test func theWorkersThatTookMostAreShownAndTheOthersCounted() {
        let lines = summary(workers: 26).text.split(separator: "\n")
        #expect(lines.first == "run 3 of job: complete")
        #expect(lines.count == 10)
        #expect(lines[4] == "    worker h\\e[2J:25  25.0 MiB")
        #expect(lines.last == "    … and 21 more workers")
        #expect(summary(workers: 5).text.split(separator: "\n")[4] == "    worker h\\e[2J:0  0 B")
    }

    @Test func headlineIsRepeatedWhereItWouldBeOutOfSight() {
        let text = "headline\n" + String(repeating: "x", count: 25)
        #expect(Terminal.repeatingHeadline(text, width: 10, height: 4) == text + "\nheadline")
        #expect(Terminal.repeatingHeadline(text, width: 10, height: 5) == text)
    }
}

@Suite struct WorkerLineTests {
    private let record = WorkerRecord(
        id: WorkerID("1"), host: "h\u{1B}[2J", pid: 7, shard: ShardID(3), rowsDone: 1_200, rowsPerSecond: 12,
        rssBytes: 1 << 20, peakRSSBytes: 2 << 20, activity: "waits for pid 9\u{7}")

    @Test func workerAtWorkIsShownWithWhatItDoesAndSinceWhen() {
        let text = WorkerLine.text(WorkerDetail(record: record, isPresent: true, joinedAt: 0, seenAt: 60))
        #expect(
            text == "worker h\\e[2J:7  shard 3  1,200 rows  12 rows/s  1.0 MiB (peak 2.0 MiB)  waits for pid 9\\x07  "
                + "since 1970-01-01T00:00:00Z")
        let old = WorkerLine.text(WorkerDetail(record: record, isPresent: true, joinedAt: nil, seenAt: 60))
        #expect(old.hasSuffix("  at work"))
    }

    @Test func workerThatIsGoneIsShownWithItsLastMoment() {
        let left = WorkerLine.text(WorkerDetail(record: record, isPresent: false, joinedAt: 0, seenAt: 60, leftAt: 61))
        #expect(left.hasSuffix("  left 1970-01-01T00:01:01Z") && !left.contains("waits"))
        let silent = WorkerLine.text(WorkerDetail(record: record, isPresent: false, joinedAt: 0, seenAt: 60))
        #expect(silent.hasSuffix("  not heard of since 1970-01-01T00:01:00Z"))
    }
}
