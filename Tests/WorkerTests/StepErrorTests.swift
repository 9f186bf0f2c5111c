import Batches
import Ledger
import Postgres
import Sharding
import Testing
import WorkerLoop

@testable import Worker

@Suite struct StepErrorTests {
    struct Refused: Sendable, CustomTestStringConvertible {
        let sqlState: String?
        let kind: StepError.Kind
        let scope: FailureScope
        let effect: StepError.Effect
        var isTriedOnceMore = false
        var testDescription: String { sqlState ?? "no code" }
    }

    static let refusals = [
        Refused(sqlState: "40P01", kind: .retryable, scope: .attempt, effect: .rolledBack),
        Refused(sqlState: "57P01", kind: .connectionLost, scope: .attempt, effect: .unknown),
        Refused(sqlState: nil, kind: .connectionLost, scope: .attempt, effect: .unknown),
        Refused(sqlState: "42501", kind: .stopsRun, scope: .run, effect: .rolledBack, isTriedOnceMore: true),
        Refused(sqlState: "42703", kind: .stopsRun, scope: .run, effect: .rolledBack, isTriedOnceMore: true),
        Refused(sqlState: "22003", kind: .permanent, scope: .shard, effect: .rolledBack, isTriedOnceMore: true),
        Refused(sqlState: "23505", kind: .permanent, scope: .shard, effect: .rolledBack, isTriedOnceMore: true),
    ]

    @Test(arguments: refusals) func whatTheServerRefusesIsSortedAndItsCodeKept(refused: Refused) {
        let error = StepError(PostgresError(sqlState: refused.sqlState, message: "no"))
        #expect(error.kind == refused.kind)
        #expect(error.kind.scope == refused.scope)
        #expect(error.cause == StepError.Cause(sqlState: refused.sqlState, effect: refused.effect))
        #expect((error.identity != nil) == refused.isTriedOnceMore)
    }

    /// The other shards may be intact, but nobody knows what else was changed.
    @Test func aDamagedLedgerStopsTheRunWithItsOwnWords() {
        let damage = LedgerError(.damaged, "the ledger of run 3 was changed by hand", mend: "put it back")
        let error = StepError(damage)
        #expect(error.kind == .stopsRun && error.kind.scope == .run)
        #expect(error.message == damage.description)
        #expect(StepError(BatchOutcome.DamagedAnswer()).kind == .stopsRun)
        #expect(StepError(LedgerError(.unknownRun, "there is no run 3")).kind == .permanent)
    }

    @Test func theWordsTellCodeAndEffect() {
        #expect(
            StepError(PostgresError(sqlState: "22003", message: "integer out of range")).message
                == "integer out of range (SQLSTATE 22003); batch rolled back, nothing written")
        // The effect on the batch is not known, so the words claim none.
        #expect(StepError(PostgresError(sqlState: nil, message: "gone")).message == "gone")
    }

    @Test func whatIsSortedAlreadyStaysAsItIs() {
        let error = StepError(
            .program, "no", identity: "7 no",
            cause: StepError.Cause(key: Key("7"), column: "n", effect: .nothingWritten))
        #expect(StepError(error as any Error) == error)
    }
}
