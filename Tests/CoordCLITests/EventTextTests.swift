import Report
import Sharding
import Testing

@testable import CoordCLI

/// Events as messages for people and for programs.
@Suite struct EventTextTests {
    private static let cause = FailureCause(
        kind: .permanent, sqlState: "22003", key: Key("7"), column: "n", effect: .rolledBack)
    private static let members: [String: JSONValue] = [
        "cause": .string("permanent"), "sqlstate": .string("22003"), "key": .string("7"), "column": .string("n"),
        "effect": .string("rolled_back"),
    ]
    private static let nothing: [String: JSONValue] = [
        "cause": .null, "sqlstate": .null, "key": .null, "column": .null, "effect": .null,
    ]

    static let events: [(RunEvent, String, String, [String: JSONValue])] = [
        (
            .listening("ipc:///x"), "listening", "workers may join: coord worker --connect ipc:///x",
            ["endpoint": .string("ipc:///x")]
        ),
        (
            .pauseAsked(by: "ann on far"), "pausing", "pausing, as ann on far asked: each worker finishes its batch",
            ["asked_by": .string("ann on far")]
        ),
        (
            .paceChanged(Pace(writers: 1, by: "ann on far")), "pace_changed",
            "pace: at most 1 worker writing, as ann on far asked",
            [
                "writers": .number(1), "rows_per_second": .null, "until": .null, "asked_by": .string("ann on far"),
            ]
        ),
        (
            .paceChanged(nil), "pace_changed", "the pace is not limited any more",
            ["writers": .null, "rows_per_second": .null, "until": .null, "asked_by": .null]
        ),
        (
            .attemptEnded(ShardID(3), error: "out of range\nrow 7", cause: cause, failed: true), "attempt_ended",
            "shard 3 has failed: out of range\n    row 7",
            members.merging([
                "shard": .number(3), "error": .string("out of range\nrow 7"), "failed": .boolean(true),
            ]) { $1 }
        ),
        (
            .attemptEnded(ShardID(3), error: "expired", cause: FailureCause(), failed: false), "attempt_ended",
            "shard 3 will be tried again: expired",
            nothing.merging(["shard": .number(3), "error": .string("expired"), "failed": .boolean(false)]) { $1 }
        ),
        (
            .workerDismissed(ProcessName(host: "db2", pid: 9)), "worker_gone",
            "worker db2 pid 9 is silent: its shard goes to another",
            [
                "reason": .string("worker db2 pid 9 is silent: its shard goes to another"), "host": .string("db2"),
                "pid": .number(9),
            ]
        ),
        (
            .workerEnded(pid: 9, reason: "killed by signal 9"), "worker_gone",
            "worker pid 9 ended (killed by signal 9): starting another",
            [
                "reason": .string("worker pid 9 ended (killed by signal 9): starting another"), "host": .null,
                "pid": .number(9),
            ]
        ),
        (
            .workerUnfit(ProcessName(host: "db2", pid: 9), error: "no such file", cause: FailureCause()),
            "worker_unfit", "worker db2 pid 9 cannot do this job, its shard goes to another: no such file",
            nothing.merging(["worker": .string("worker db2 pid 9"), "error": .string("no such file")]) { $1 }
        ),
        // The worker of another host says what its host's name is.
        (
            .workerUnfit(
                ProcessName(host: "db2\nrun 3 is complete", pid: 9), error: "a\nb", cause: FailureCause()),
            "worker_unfit",
            "worker db2\n    run 3 is complete pid 9 cannot do this job, its shard goes to another: a\n    b",
            nothing.merging([
                "worker": .string("worker db2\nrun 3 is complete pid 9"), "error": .string("a\nb"),
            ]) { $1 }
        ),
        (
            .workerUnfit(nil, error: "x", cause: cause), "worker_unfit",
            "a worker cannot do this job, its shard goes to another: x",
            members.merging(["worker": .string("a worker"), "error": .string("x")]) { $1 }
        ),
        (
            .workerRevoked(ProcessName(host: "db2", pid: 9), key: "db2"), "worker_revoked",
            "worker db2 pid 9 is cut off, its shard goes to another: its key db2 was revoked",
            ["worker": .string("worker db2 pid 9"), "key": .string("db2")]
        ),
        (
            .strangerRefused(key: "K", address: "10.0.0.7"), "stranger_refused",
            "a worker from 10.0.0.7 was refused: its key K is not allowed\n  coord keys list   shows which are",
            ["address": .string("10.0.0.7"), "public_key": .string("K")]
        ),
        (
            .hostStarted("db2", workers: 8), "host_started", "host db2: 8 workers started",
            ["host": .string("db2"), "workers": .number(8)]
        ),
        (
            .hostLost("db2", reason: "no route\nat all", retryIn: .seconds(8)), "host_lost",
            "host db2: no route\n    at all; tried again in 8 s",
            ["host": .string("db2"), "reason": .string("no route\nat all"), "retry_seconds": .number(8)]
        ),
        (
            .batchesShrunk(rows: 1500), "batches_shrunk", "batches took too long: they have at most 1,500 rows now",
            ["rows": .number(1500)]
        ),
        (
            .databaseLost(reason: "no route"), "database_away", "the database is away, trying again: no route",
            ["error": .string("no route")]
        ),
        (
            .databaseReadOnly(reason: "no writes"), "database_read_only",
            "the database is read-only, trying again: no writes", ["error": .string("no writes")]
        ),
    ]

    @Test(arguments: events)
    func everyEventHasATypeASentenceAndItsMembers(
        event: RunEvent, type: String, text: String, members: [String: JSONValue]
    ) {
        let told = EventText.of(event)
        #expect(told.type == type)
        #expect(told.text == text)
        #expect(told.members == members)
    }

    @Test func progressHasItsConditionsAsObjectsAndInOneLine() throws {
        var report = RunReport(run: RunID(3), job: "j")
        #expect(JSONOutput.text(ProgressObject(report)).contains(#""conditions":[],"conditions_left_out":0"#))
        #expect(JSONOutput.text(ProgressObject(report)).contains(#""note":null"#))
        report.conditions = [.windingDown(.draining), .databaseAway(reason: "gone", since: .seconds(7))]
        report.conditionsLeftOut = 2
        let text = JSONOutput.text(ProgressObject(report))
        #expect(
            text.contains(
                #""conditions":[{"kind":"draining","text":"draining: each worker finishes its batch"},"#
                    + #"{"kind":"database_away","reason":"gone","seconds":7,"#
                    + #""text":"the database is away, trying again: gone"}],"conditions_left_out":2"#))
        #expect(
            text.contains(
                #""note":"draining: each worker finishes its batch; the database is away, trying again: gone; and 2 more""#
            ))
    }

    @Test func aFailedShardHasItsCauseBesideItsError() {
        let failed = FailedShard(
            shard: ShardID(3), range: .everything, error: "out of range",
            cause: FailureCause(kind: .permanent, sqlState: "22003", key: Key(["7", "x"]), column: "n"))
        #expect(
            JSONOutput.text(Summary.FailureObject(failed))
                == #"{"after":null,"cause":"permanent","column":"n","effect":null,"error":"out of range","#
                + #""key":["7","x"],"shard":3,"sqlstate":"22003","through":null}"#)
    }
}
