import Sharding
import Testing

@testable import Dispatching

/// What the machine knew before it lost the ledger, and still holds after the reload.
@Suite struct ReloadTests {
    private static func failed() -> (bench: Bench, actions: [DispatchAction]) {
        var bench = Bench.dispatching(1, [alice, bob])
        let end = AttemptEnd(.failed, error: "it fails")
        let actions = bench.machine.attemptReported(lease(0), worker: alice, end, now: .seconds(1))
        return (bench, actions)
    }

    /// Without the backoff, a shard that fails at once would fail as often as the connection breaks.
    @Test func backoffOutlivesAReload() {
        var bench = Self.failed().bench
        #expect(bench.machine.attemptRecorded(lease(0), state: .pending, failures: 1, now: .seconds(1)) == [])
        guard case .pending(let notBefore)? = bench.phase(of: 0) else {
            Issue.record("\(String(describing: bench.phase(of: 0)))")
            return
        }
        #expect(notBefore > .seconds(1))
        bench.machine.ledgerLost()
        #expect(bench.machine.shardsLoaded([record(0, epoch: 1)], now: .seconds(1)) == [])
        #expect(bench.phase(of: 0) == .pending(notBefore: notBefore))
        #expect(!bench.machine.timePassed(now: notBefore).isEmpty)
    }

    /// A higher epoch means that another worker has had the shard since.
    @Test func backoffOfAnEarlierLeaseIsForgotten() {
        var bench = Self.failed().bench
        _ = bench.machine.attemptRecorded(lease(0), state: .pending, failures: 1, now: .seconds(1))
        bench.machine.ledgerLost()
        let actions = bench.machine.shardsLoaded([record(0, epoch: 2)], now: .seconds(1))
        #expect(actions == [.ledger(.recordLease(shard(0), worker: alice, after: Epoch(2)))])
    }

    /// The attempt's end is not written yet. Only the ledger's answer to it says when the shard may be tried again.
    @Test func shardWhoseAttemptsEndIsNotWrittenYetIsNotGranted() {
        var (bench, actions) = Self.failed()
        let end = AttemptEnd(.failed, error: "it fails")
        #expect(actions == [.ledger(.recordAttempt(lease(0), worker: alice, end, attempts: 3))])
        bench.machine.ledgerLost()
        actions = bench.machine.shardsLoaded([record(0, .running, epoch: 1, owner: alice)], now: .seconds(1))
        #expect(actions == [])
        #expect(bench.phase(of: 0) == .recording(lease(0), alice))
        actions = bench.machine.attemptRecorded(lease(0), state: .failed, failures: 3, now: .seconds(2))
        #expect(actions == [.ledger(.conclude)])
    }

    /// The attempt's end was written, and only the answer was lost.
    @Test func shardWhoseAttemptsEndIsWrittenIsWhatTheLedgerSays() {
        var bench = Self.failed().bench
        bench.machine.ledgerLost()
        #expect(bench.machine.shardsLoaded([record(0, .failed, epoch: 1)], now: .seconds(1)) == [.ledger(.conclude)])
        #expect(bench.machine.attemptRecorded(lease(0), state: .failed, failures: 3, now: .seconds(2)) == [])
    }
}
