import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

/// A value in the ledger that coord cannot have written. Each query reports it, with the names of the query and of the
/// column.
@Suite(.database) struct DamagedValueTests {
    private let store: TestLedger
    init() throws { store = try TestDatabase.current.ledger() }

    /// A question about a run that `.coordinator` owns, with a lease on shard 0.
    enum Question: String, CaseIterable {
        case run, runs, newest, shards, shard, pieces, workers, unchanged
        case assignment, open
        case lease, attempt, renew, standing
        case cancel, drop
    }

    struct Damage: CustomTestStringConvertible, Sendable {
        var question: Question
        /// The statements that do the damage.
        var sql: [String]
        var query: String
        var column: String
        var found = "null"
        var testDescription: String { "\(question) \(column) \(found)" }

        /// A null in a column that is never null.
        static func null(_ question: Question, _ query: String, _ table: String, _ column: String) -> Damage {
            Damage(
                question: question,
                sql: [
                    "ALTER TABLE coord.\(table) ALTER \(column) DROP NOT NULL",
                    "UPDATE coord.\(table) SET \(column) = NULL",
                ], query: query, column: column)
        }

        /// A text in a column that holds values of another kind.
        ///
        /// - Parameter isText: whether the column's type is text, so that only a check constraint keeps other texts
        ///   away.
        static func text(
            _ question: Question, _ query: String, _ table: String, _ column: String, _ found: String,
            isText: Bool = false
        ) -> Damage {
            let retyped = "ALTER TABLE coord.\(table) ALTER \(column) TYPE text USING \(column)::text"
            let unchecked = "ALTER TABLE coord.\(table) DROP CONSTRAINT \(table)_\(column)_check"
            return Damage(
                question: question,
                sql: [isText ? unchecked : retyped, "UPDATE coord.\(table) SET \(column) = '\(found)'"], query: query,
                column: column, found: "'\(found)'")
        }
    }

    static let damages: [Damage] = [
        .null(.run, "coord_run", "run", "name"), .null(.run, "coord_run", "run", "rows_estimated"),
        .null(.run, "coord_run", "run", "term"), .text(.run, "coord_run", "run", "rows_per_second", "NaN"),
        .text(.runs, "coord_runs", "run", "state", "asleep", isText: true),
        .text(.newest, "coord_newest_run", "run", "desired", "peace", isText: true),
        .null(.runs, "coord_runs", "run", "coordinator_host"), .null(.run, "coord_run", "run", "coordinator_pid"),
        Damage(
            question: .run, sql: ["UPDATE coord.run SET end_key = '{}'"], query: "coord_run", column: "end_key",
            found: "'{}'"),
        Damage(
            question: .run, sql: [#"UPDATE coord.run SET settings = '{"TimeZone": null}'"#], query: "coord_run",
            column: "settings", found: "'{TimeZone,NULL}'"),
        .null(.shards, "coord_shards", "shard", "epoch"), .null(.shards, "coord_shards", "shard", "rows_done"),
        .text(.shards, "coord_shards", "shard", "rows_estimated", "some"),
        .text(.shards, "coord_shards", "shard", "owner", "me"),
        .text(.shard, "coord_shard", "shard", "state", "asleep", isText: true),
        .text(.shard, "coord_shard", "shard", "failures", "few"),
        Damage(
            question: .shards, sql: ["UPDATE coord.shard SET checkpoint = '{NULL}'"], query: "coord_shards",
            column: "checkpoint", found: "'{NULL}'"),
        Damage(
            question: .pieces, sql: ["UPDATE coord.shard SET through_key = '{}' WHERE id = 0"], query: "coord_pieces",
            column: "through_key", found: "'{}'"),
        Damage(
            question: .pieces, sql: ["UPDATE coord.run SET end_key = '{{a},{b}}'"], query: "coord_key_space",
            column: "end_key", found: "'{{a},{b}}'"),
        .null(.workers, "coord_workers", "worker", "host"), .text(.workers, "coord_workers", "worker", "pid", "it"),
        Damage(
            question: .assignment, sql: ["UPDATE coord.run SET specification = '{}'"], query: "coord_assignment",
            column: "binding"),
        .null(.open, "coord_open", "shard", "sequence"), .null(.open, "coord_open", "shard", "deferred"),
        .text(.open, "coord_open", "shard", "rows_done", "some"),
        Damage(
            question: .open, sql: ["UPDATE coord.shard SET checkpoint = '{}'"], query: "coord_open",
            column: "checkpoint", found: "'{}'"),
        Damage(
            question: .open, sql: ["UPDATE coord.shard SET deferred = '{5,NULL}'"], query: "coord_open",
            column: "deferred", found: "'{5,NULL}'"),
        Damage(
            question: .lease,
            sql: [
                "ALTER TABLE coord.shard ALTER sequence DROP NOT NULL, ALTER lease_sequence DROP NOT NULL",
                "UPDATE coord.shard SET sequence = NULL",
            ], query: "coord_lease", column: "sequence"),
        .null(.attempt, "coord_record_attempt", "shard", "failures"),
        .null(.standing, "coord_standing", "run", "term"),
        .text(.standing, "coord_standing", "run", "state", "asleep", isText: true),
        .text(.standing, "coord_standing", "run", "coordinator", "me"),
        Damage(
            question: .renew,
            sql: ["ALTER TABLE coord.run ALTER desired DROP NOT NULL", "UPDATE coord.run SET desired = NULL"],
            query: "coord_renew", column: "cancel_asked"),
        .null(.cancel, "coord_lock_run", "run", "term"), .null(.cancel, "coord_owner", "run", "coordinator_host"),
        .null(.drop, "coord_owned_run", "run", "coordinator_pid"),
        Damage(
            question: .unchanged,
            sql: [
                "ALTER TABLE coord.shard ALTER rows_unchanged TYPE numeric",
                "UPDATE coord.shard SET rows_unchanged = 0.5",
            ], query: "coord_unchanged_rows", column: "rows", found: "'1.0'"),
    ]

    private func ask(_ question: Question, _ ownership: Ownership, _ leased: LeasedShard, by asker: TestLedger? = nil)
        throws
    {
        let store = asker ?? store
        let run = ownership.run
        switch question {
        case .run: _ = try store.reader.run(run)
        case .runs: _ = try store.reader.runs()
        case .newest: _ = try store.reader.unfinishedRun(named: "job")
        case .shards: _ = try store.reader.shards(of: run)
        case .shard: _ = try store.reader.shard(ShardID(0), of: run)
        case .pieces: _ = try store.coordinator.load(run)
        case .workers: _ = try store.reader.workers(of: run, includeGone: true)
        case .assignment: _ = try store.worker.assignment(of: run)
        case .open: _ = try store.worker.open(leased.lease, owner: leased.worker, run: run, keyColumns: 1)
        case .lease: _ = try store.coordinator.lease(ShardID(1), to: .second, after: Epoch(0), ownership)
        case .attempt:
            _ = try store.coordinator.recordAttempt(
                leased.lease, worker: leased.worker, outcome: "failed", error: nil, permanent: false, attempts: 3,
                ownership)
        case .renew: _ = try store.coordinator.renew(ownership, rowsPerSecond: 1)
        case .standing: _ = try store.coordinator.standing(ownership)
        case .cancel: try store.cancellation.cancel(run)
        case .drop: try store.installation.drop()
        case .unchanged: _ = try store.reader.unchangedRows(of: run)
        }
    }

    /// A run under a lease, with a worker's record.
    private func makeRun() throws -> (Ownership, LeasedShard) {
        let ownership = try store.ownedRun(cutAt: ["5"])
        let leased = try LeasedShard(store, of: ownership)
        try store.coordinator.note([WorkerRecord(id: .first, host: "a", pid: 1)], of: ownership.run)
        return (ownership, leased)
    }

    @Test(arguments: damages) func damagedValueIsToldWithItsQueryAndColumn(_ damage: Damage) throws {
        let (ownership, leased) = try makeRun()
        for sql in damage.sql { try store.connection.execute(sql) }
        // A new session, whose statements are prepared after the damage.
        let asker = TestLedger(try TestDatabase.current.connect(setup: PostgresSession.ledger))
        let error = try ledgerError { try ask(damage.question, ownership, leased, by: asker) }
        #expect(error.code == .damaged)
        #expect(
            error.message.contains("\(damage.query) found \(damage.found) in the column \(damage.column),"), "\(error)")
        // A question about one run, or a list of runs, names the damaged run. Only `drop` is about no run.
        if damage.question != .drop { #expect(error.message.contains("run \(ownership.run)"), "\(error)") }
    }

    /// Without this test, a question could fail for a reason of its own.
    @Test(arguments: Question.allCases) func withoutDamageEachQuestionIsAnswered(_ question: Question) throws {
        let (ownership, leased) = try makeRun()
        if question == .assignment {
            try store.coordinator.bind(ownership, tableOID: 1, binding: "{}", specification: "{}")
        }
        if question == .drop { try store.forgetSession(of: ownership.run) }
        try ask(question, ownership, leased)
    }

    /// The error tells people to cancel the run, so that must be possible.
    @Test func runInAStateThatNobodyHasWrittenCanBeGivenUp() throws {
        let (ownership, _) = try makeRun()
        try store.connection.execute("ALTER TABLE coord.run DROP CONSTRAINT run_state_check")
        try store.connection.execute("UPDATE coord.run SET state = 'asleep'")
        let error = try ledgerError { _ = try store.reader.run(ownership.run) }
        #expect(error.mend?.contains("coord cancel \(ownership.run)") == true)
        try store.cancellation.cancel(ownership.run)
        #expect(try store.reader.run(ownership.run).state == .cancelled)
    }

    @Test func readerWorksWhereNothingCanBeWritten() throws {
        let (ownership, _) = try makeRun()
        try store.connection.execute("SET default_transaction_read_only = on")
        for question in [Question.run, .runs, .newest, .shards, .shard, .workers, .unchanged] {
            let leased = LeasedShard(
                run: ownership.run, lease: Lease(shard: ShardID(0), epoch: Epoch(1)), worker: .first,
                range: .everything, cursor: .start, sequence: 0)
            try ask(question, ownership, leased)
        }
        // Other roles cannot work there.
        #expect(try postgresError { try store.cancellation.cancel(ownership.run) }.sqlState == "25006")
    }
}
