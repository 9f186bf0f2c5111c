import Report
import Sharding
import Testing

@testable import CoordCLI

/// Conditions, as sentences and as members of an object.
@Suite struct ConditionWordsTests {
    private static let (alpha, beta) = (ProcessName(host: "alpha", pid: 1), ProcessName(host: "beta", pid: 2))
    private static let lock = WorkerWait(
        words: "waits for pid 7 (app@local) at id 5", cause: FailureCause(kind: .held, key: Key("5"), holder: 7))

    static let conditions: [(RunCondition, String, [String: JSONValue])] = [
        (.windingDown(.draining), "draining: each worker finishes its batch", ["kind": .string("draining")]),
        (
            .windingDown(.pausing(by: "ann\n on far")),
            "pausing, as ann; on far asked: each worker finishes its batch",
            ["kind": .string("pausing"), "asked_by": .string("ann\n on far")]
        ),
        (
            .paced(Pace(writers: 4, rowsPerSecond: 20_000, until: 1_800_000_000, by: "ann\n on far")),
            "pace: at most 20,000 rows/s, 4 workers writing, until 2027-01-15T08:00:00Z, as ann; on far asked",
            [
                "kind": .string("paced"), "writers": .number(4), "rows_per_second": .number(20_000),
                "until": .string("2027-01-15T08:00:00Z"), "asked_by": .string("ann\n on far"),
            ]
        ),
        (.windingDown(.cancelling), "cancelling: each worker finishes its batch", ["kind": .string("cancelling")]),
        (.windingDown(.cancelled), "cancelled: the workers leave", ["kind": .string("cancelled")]),
        (
            .windingDown(.stopping(reason: "no table\n  mend it")),
            "stopping, each worker finishes its batch: no table; mend it",
            ["kind": .string("stopping"), "reason": .string("no table\n  mend it")]
        ),
        (
            .databaseAway(reason: "gone", since: .seconds(7)), "the database is away, trying again: gone",
            ["kind": .string("database_away"), "reason": .string("gone"), "seconds": .number(7)]
        ),
        (
            .databaseReadOnly(reason: "no writes", since: .seconds(7)),
            "the database is read-only, trying again: no writes",
            ["kind": .string("database_read_only"), "reason": .string("no writes"), "seconds": .number(7)]
        ),
        (
            .ledgerLocked(reason: "lock timeout", since: .seconds(6)),
            "the ledger is locked, trying again: lock timeout",
            ["kind": .string("ledger_locked"), "reason": .string("lock timeout"), "seconds": .number(6)]
        ),
        (
            .workersEnd(times: 2, limit: 5, reason: "status 1"),
            "workers end before they join, 2 of 5 times: status 1",
            [
                "kind": .string("workers_end"), "reason": .string("status 1"), "times": .number(2), "limit": .number(5),
            ]
        ),
        (
            .cannotSpawn(reason: "too many processes"),
            "a worker's process cannot be started, trying again: too many processes",
            ["kind": .string("cannot_spawn"), "reason": .string("too many processes")]
        ),
        (.noWorkers, "waiting for workers", ["kind": .string("no_workers")]),
        (
            .hostAway("db2", reason: "ssh: connection refused\n", retryIn: .milliseconds(7_200)),
            "host db2: ssh: connection refused; tried again in 8 s",
            [
                "kind": .string("host_away"), "host": .string("db2"), "reason": .string("ssh: connection refused\n"),
                "retry_seconds": .number(8),
            ]
        ),
        (
            .stalled(Stall(since: .seconds(62))), "no batch has committed for 62 s: no worker holds a shard",
            [
                "kind": .string("stalled"), "seconds": .number(62), "workers": .list([]), "workers_more": .number(0),
            ]
        ),
        (
            .stalled(
                Stall(
                    since: .seconds(62),
                    holders: [
                        Stall.Holder(process: alpha, shard: ShardID(3), step: "computing", stepFor: .seconds(61)),
                        Stall.Holder(process: nil, shard: ShardID(4), step: "opening", stepFor: .zero),
                    ], others: 2)),
            "no batch has committed for 62 s: worker alpha pid 1 is at shard 3, computing for 61 s, "
                + "a worker is at shard 4, opening for 0 s, and 2 more",
            [
                "kind": .string("stalled"), "seconds": .number(62),
                "workers": .list([
                    .object([
                        "host": .string("alpha"), "pid": .number(1), "shard": .number(3), "step": .string("computing"),
                        "seconds": .number(61),
                    ]),
                    .object([
                        "host": .null, "pid": .null, "shard": .number(4), "step": .string("opening"),
                        "seconds": .number(0),
                    ]),
                ]), "workers_more": .number(2),
            ]
        ),
        (
            .cannotBegin(alpha, reason: "no room"), "worker alpha pid 1 cannot begin: no room",
            [
                "kind": .string("cannot_begin"), "reason": .string("no room"), "host": .string("alpha"),
                "pid": .number(1),
            ]
        ),
        (
            .workerSilent(beta, since: .seconds(6)), "worker beta pid 2 has been silent for 0:06",
            ["kind": .string("worker_silent"), "seconds": .number(6), "host": .string("beta"), "pid": .number(2)]
        ),
        (
            .workerWaits(alpha, ShardID(3), lock), "worker alpha pid 1 waits for pid 7 (app@local) at id 5",
            [
                "kind": .string("worker_waits"), "host": .string("alpha"), "pid": .number(1), "shard": .number(3),
                "cause": .string("held"), "sqlstate": .null, "key": .string("5"), "holder_pid": .number(7),
            ]
        ),
        (
            .workerWaits(
                beta, nil, WorkerWait(words: "gone", cause: FailureCause(kind: .connectionLost, key: Key(["5", "x"])))),
            "worker beta pid 2 waits: gone",
            [
                "kind": .string("worker_waits"), "host": .string("beta"), "pid": .number(2), "shard": .null,
                "cause": .string("connection_lost"), "sqlstate": .null,
                "key": .list([.string("5"), .string("x")]), "holder_pid": .null,
            ]
        ),
    ]

    @Test(arguments: conditions)
    func everyConditionHasASentenceAndItsFigures(
        condition: RunCondition, text: String, figures: [String: JSONValue]
    ) {
        #expect(ConditionText.of(condition) == text)
        #expect(ConditionMembers.of(condition) == figures.merging(["text": .string(text)]) { $1 })
    }

    @Test func kindsAndEffectsHaveWordsOfTheirOwn() {
        #expect(Set(FailureKind.allCases.map(CauseMembers.word(for:))).count == FailureKind.allCases.count)
        let effects = FailureCause.Effect.allCases
        #expect(Set(effects.map(CauseMembers.word(for:))).count == effects.count)
    }

    @Test func everyMemberOfACauseIsThereAndNullWhereItIsNotKnown() {
        #expect(
            CauseMembers.of(FailureCause()) == [
                "cause": .null, "sqlstate": .null, "key": .null, "column": .null, "effect": .null,
            ])
        #expect(
            CauseMembers.of(
                FailureCause(
                    kind: .permanent, sqlState: "22003", key: Key("7"), column: "n", effect: .rolledBack)) == [
                    "cause": .string("permanent"), "sqlstate": .string("22003"), "key": .string("7"),
                    "column": .string("n"), "effect": .string("rolled_back"),
                ])
    }
}
