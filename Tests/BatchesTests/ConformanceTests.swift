import Batches
import Sharding
import Support
import Testing

@testable import SimulatedLedger

/// The simulation's database and PostgreSQL answer the same calls alike, and hold the same data after each call.
@Suite(.database) struct ConformanceTests {
    /// Two stores of the same run. Each call goes to both.
    final class Pair {
        let simulated: SimulatedRunStore
        private let real: PostgresRunStore
        private(set) var trace: [String] = []

        struct Differ: Error {}

        /// - Parameter isComb: whether rows are done stripe by stripe instead of in key order.
        init(rows: Int, shards: Int, isComb: Bool = false, using random: inout SeededGenerator) throws {
            let comb = SimulatedComb(stripes: 3, batchRows: 4, stretchRows: 9)
            simulated = SimulatedRunStore(rows: rows, shards: shards, comb: isComb ? comb : nil, using: &random)
            let same = Comb(
                stripes: comb.stripes, rule: .remainder, batchRows: comb.batchRows, stretchRows: comb.stretchRows)
            real = try PostgresRunStore(
                .current, keys: simulated.keys, plan: simulated.plan, comb: isComb ? same : nil)
        }

        /// - Returns: the common answer of both stores.
        @discardableResult
        func both<Answer: Equatable>(_ call: String, _ body: (any RunStore) throws -> Answer) throws -> Answer {
            let (left, right) = (try body(simulated), try body(real))
            trace.append("\(call): \(right)")
            try compare(left, right, call)
            try compare(simulated.snapshot(), try real.snapshot(), "the run after \(call)")
            return right
        }

        private func compare<Value: Equatable>(_ simulated: Value, _ real: Value, _ what: String) throws {
            if simulated == real { return }
            Issue.record(
                """
                \(what) differs
                simulated: \(simulated)
                PostgreSQL: \(real)
                \(trace.suffix(30).joined(separator: "\n"))
                """)
            throw Differ()
        }
    }

    @Test func lifeOfARunIsTheSameInTheSimulationAndInPostgreSQL() throws {
        var random = SeededGenerator(seed: 1)
        let pair = try Pair(rows: 12, shards: 2, using: &random)
        let first = RunHold(coordinator: .coordinator, term: 1)
        #expect(try pair.both("take over") { try $0.takeOver(.coordinator) } == 1)
        #expect(try pair.both("take over an owned run") { try $0.takeOver(.rival) } == nil)
        #expect(try pair.both("renew") { try $0.renew(first) })

        // The sequence: a lease, a batch of each kind, and a batch that is sent twice.
        let leased = try pair.both("lease") { try $0.lease(ShardID(0), to: .first, after: Epoch(0), first) }
        let lease = try #require(leased)
        #expect(try pair.both("lease again") { try $0.lease(ShardID(0), to: .second, after: Epoch(0), first) } == nil)
        let opened = try #require(try pair.both("open") { try $0.open(lease) })
        let batch = try #require(try pair.both("set") { try $0.apply(lease, at: opened, rows: 2) })
        #expect(try pair.both("set again") { try $0.apply(lease, at: opened, rows: 2) } == nil)
        let read = try pair.both("read") { try $0.read(lease, at: batch.position, rows: 2, deferred: false) }
        try pair.both("change") {
            try $0.change(read[0])
            return true
        }
        let written = try #require(try pair.both("write") { try $0.write(lease, at: batch.position) })
        #expect(written.position.deferred == [Key("\(read[0])")])

        // The first attempt fails, a second worker takes the shard, and the first worker's late batch arrives.
        let ended = try pair.both("failed") { try $0.recordAttempt(lease, permanent: false, attempts: 3, first) }
        #expect(ended == AttemptAnswer(state: .pending, failures: 1))
        let next = try pair.both("lease") { try $0.lease(ShardID(0), to: .second, after: Epoch(1), first) }
        let second = try #require(next)
        #expect(try pair.both("open by the first") { try $0.open(lease) } == nil)
        #expect(try pair.both("late set") { try $0.apply(lease, at: written.position, rows: 2) } == nil)

        // Another coordinator takes the run over, and the worker continues.
        try pair.both("lose the owner") {
            try $0.loseOwner()
            return true
        }
        #expect(try pair.both("take over") { try $0.takeOver(.rival) } == 2)
        let taker = RunHold(coordinator: .rival, term: 2)
        #expect(try pair.both("renew by the first") { try $0.renew(first) } == false)
        #expect(
            try pair.both("lease by the first") { try $0.lease(ShardID(1), to: .first, after: Epoch(0), first) } == nil)
        #expect(try pair.both("conclude by the first") { try $0.conclude(first) } == nil)
        var position = try #require(try pair.both("open") { try $0.open(second) })
        #expect(
            try pair.both("read deferred") { try $0.read(second, at: position, rows: 9, deferred: true) } == [read[0]])
        position = try #require(try pair.both("write") { try $0.write(second, at: position) }).position
        #expect(try pair.both("set") { try $0.apply(second, at: position, rows: 100) }?.isDone == true)
        #expect(try pair.both("conclude") { try $0.conclude(taker) } == [1, 1, 0])

        // The run pauses and continues, a shard fails, and a cancel arrives under a batch.
        try pair.both("pause") {
            try $0.release(taker, cancelling: false)
            return true
        }
        #expect(try pair.both("take over") { try $0.takeOver(.coordinator) } == 3)
        let last = RunHold(coordinator: .coordinator, term: 3)
        let other = try pair.both("lease") { try $0.lease(ShardID(1), to: .first, after: Epoch(0), last) }
        let third = try #require(other)
        #expect(
            try pair.both("fail") { try $0.recordAttempt(third, permanent: true, attempts: 3, last) }?.state == .failed)
        #expect(try pair.both("conclude") { try $0.conclude(last) } == [0, 1, 1])
        #expect(try pair.both("take over") { try $0.takeOver(.rival) } == 4)
        let cancelling = RunHold(coordinator: .rival, term: 4)
        let again = try pair.both("lease") { try $0.lease(ShardID(1), to: .first, after: Epoch(1), cancelling) }
        let fourth = try #require(again)
        position = try #require(try pair.both("open") { try $0.open(fourth) })
        try pair.both("cancel") {
            try $0.release(cancelling, cancelling: true)
            return true
        }
        #expect(try pair.both("set after the cancel") { try $0.apply(fourth, at: position, rows: 2) } == nil)
        #expect(try pair.both("take over a cancelled run") { try $0.takeOver(.coordinator) } == nil)
    }

    @Test func checkpointStaysWhereTheRowsBehindItHaveGone() throws {
        var random = SeededGenerator(seed: 2)
        let pair = try Pair(rows: 6, shards: 1, using: &random)
        let hold = RunHold(coordinator: .coordinator, term: 1)
        try pair.both("take over") { try $0.takeOver(.coordinator) }
        let leased = try pair.both("lease") { try $0.lease(ShardID(0), to: .first, after: Epoch(0), hold) }
        let lease = try #require(leased)
        var position = try #require(try pair.both("open") { try $0.open(lease) })
        position = try #require(try pair.both("set") { try $0.apply(lease, at: position, rows: 4) }).position
        for key in pair.simulated.keys.suffix(4) {
            try pair.both("delete \(key)") {
                try $0.delete(key)
                return true
            }
        }
        let last = try #require(try pair.both("set") { try $0.apply(lease, at: position, rows: 4) })
        #expect(last.isDone && last.position.cursor == position.cursor)
    }

    /// What the driver of a random sequence remembers.
    private struct Known {
        var holds: [RunHold] = []
        var leases: [RunLease] = []
        /// The positions that were returned for each lease, in their order.
        var positions: [Lease: [Position]] = [:]
        var reading: (held: RunLease, position: Position)?
    }

    /// Seeds above 12 go stripe by stripe.
    @Test(arguments: UInt64(1)...18) func anySequenceOfCallsHasTheSameAnswers(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pair = try Pair(
            rows: Int.random(in: 5...40, using: &random), shards: Int.random(in: 1...4, using: &random),
            isComb: seed > 12, using: &random)
        var known = Known()
        do {
            for _ in 0..<120 { try step(pair, &known, &random) }
        } catch is Pair.Differ {}
    }

    /// The last item in most calls, otherwise any item.
    private func recent<Item>(_ items: [Item], _ random: inout SeededGenerator) -> Item? {
        Int.random(in: 0..<5, using: &random) > 0 ? items.last : items.randomElement(using: &random)
    }

    private func step(_ pair: Pair, _ known: inout Known, _ random: inout SeededGenerator) throws {
        let roll = Int.random(in: 0..<100, using: &random)
        guard let hold = recent(known.holds, &random), roll >= 6 else { return try own(pair, &known, roll, &random) }
        switch roll {
        case 6..<26: try leaseShard(pair, &known, hold, &random)
        case 26..<34:
            guard let held = recent(known.leases, &random) else { return }
            let attempts = Int.random(in: 0...2, using: &random)
            let permanent = attempts > 0 && Bool.random(using: &random)
            try pair.both("end \(held.lease) of \(attempts), permanent \(permanent)") {
                try $0.recordAttempt(held, permanent: permanent, attempts: attempts, hold)
            }
        case 34..<38: try pair.both("conclude by \(hold)") { try $0.conclude(hold) }
        case 38..<80: try work(pair, &known, &random)
        default: try meddle(pair, roll, &random)
        }
    }

    private func own(_ pair: Pair, _ known: inout Known, _ roll: Int, _ random: inout SeededGenerator) throws {
        if roll < 3 {
            try pair.both("lose the owner") {
                try $0.loseOwner()
                return true
            }
        } else if roll < 5, let hold = recent(known.holds, &random) {
            let cancelling = Int.random(in: 0..<10, using: &random) == 0
            try pair.both("release by \(hold), cancelling \(cancelling)") {
                try $0.release(hold, cancelling: cancelling)
                return true
            }
        } else if roll == 5, let hold = recent(known.holds, &random) {
            try pair.both("renew by \(hold)") { try $0.renew(hold) }
        }
        let coordinator = Bool.random(using: &random) ? WorkerID.coordinator : .rival
        if let term = try pair.both("take over by \(coordinator)", { try $0.takeOver(coordinator) }) {
            known.holds.append(RunHold(coordinator: coordinator, term: term))
        }
    }

    private func leaseShard(
        _ pair: Pair, _ known: inout Known, _ hold: RunHold, _ random: inout SeededGenerator
    ) throws {
        guard let shard = pair.simulated.snapshot().shards.randomElement(using: &random) else { return }
        let worker = Bool.random(using: &random) ? WorkerID.first : .second
        // Sometimes the coordinator's epoch is out of date.
        let epoch = Int.random(in: 0..<8, using: &random) == 0 ? Epoch(0) : shard.record.epoch
        let leased = try pair.both("lease \(shard.record.id) to \(worker) after \(epoch) by \(hold)") {
            try $0.lease(shard.record.id, to: worker, after: epoch, hold)
        }
        guard let leased else { return }
        known.leases.append(leased)
        if let position = try pair.both("open \(leased.lease)", { try $0.open(leased) }) {
            known.positions[leased.lease] = [position]
        }
    }

    private func work(_ pair: Pair, _ known: inout Known, _ random: inout SeededGenerator) throws {
        if Int.random(in: 0..<25, using: &random) == 0, let held = known.leases.last {
            try pair.both("restart \(held.worker)") {
                try $0.restart(held.worker)
                return true
            }
        }
        if let (held, position) = known.reading, Bool.random(using: &random) {
            known.reading = nil
            let answer = try pair.both("write \(held.lease) at \(position)") { try $0.write(held, at: position) }
            if let answer { known.positions[held.lease, default: []].append(answer.position) }
            return
        }
        guard let held = recent(known.leases, &random),
            let position = recent(known.positions[held.lease] ?? [], &random)
        else { return }
        let rows = Int.random(in: 1...6, using: &random)
        if Bool.random(using: &random) {
            let answer = try pair.both("set \(held.lease) at \(position), \(rows) rows") {
                try $0.apply(held, at: position, rows: rows)
            }
            if let answer { known.positions[held.lease, default: []].append(answer.position) }
        } else {
            let deferred = !position.deferred.isEmpty && Bool.random(using: &random)
            try pair.both("read \(held.lease) at \(position), \(rows) rows, deferred \(deferred)") {
                try $0.read(held, at: position, rows: rows, deferred: deferred)
            }
            known.reading = (held, position)
        }
    }

    /// Does what an application may do between two calls.
    private func meddle(_ pair: Pair, _ roll: Int, _ random: inout SeededGenerator) throws {
        let keys = pair.simulated.snapshot().rows.map(\.key)
        guard let key = keys.randomElement(using: &random) else { return }
        switch roll {
        case 80..<92:
            try pair.both("change \(key)") {
                try $0.change(key)
                return true
            }
        case 92..<96:
            let fresh = key + Int.random(in: 1...3, using: &random)
            try pair.both("insert \(fresh)") {
                try $0.insert(fresh)
                return true
            }
        default:
            try pair.both("delete \(key)") {
                try $0.delete(key)
                return true
            }
        }
    }
}
