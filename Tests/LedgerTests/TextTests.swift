import Postgres
import Sharding
import Support
import Testing

@testable import Ledger

/// Texts of others that a database cannot hold. What is written with them must be written all the same.
@Suite(.database) struct TextTests {
    /// Runs `body` with the ledger of a database whose encoding has few characters.
    private func inLatin1(_ body: (TestLedger) throws -> Void) throws {
        let name = TestDatabase.current.name + "_latin1"
        let administrator = try TestDatabase.current.connect()
        try administrator.execute(
            "CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
        let settings = PostgresConnection.Settings(
            conninfo: "dbname=\(name)", applicationName: "coord test", setup: PostgresSession.ledger)
        let result = Result {
            let store = TestLedger(try PostgresConnection(settings))
            try store.installation.install()
            try body(store)
        }
        try administrator.execute("DROP DATABASE \(name) WITH (FORCE)")
        try result.get()
    }

    private func fail(_ error: String, _ store: TestLedger) throws -> String? {
        let ownership = try store.ownedRun()
        let leased = try #require(
            try store.coordinator.lease(ShardID(0), to: .first, after: Epoch(0), ownership))
        let recorded = try store.coordinator.recordAttempt(
            leased.lease, worker: .first, outcome: "failed", error: error, permanent: true, attempts: 3, ownership)
        #expect(recorded?.state == .failed)
        #expect(try store.events(of: ownership.run).suffix(2).sorted() == ["lease_failed 0", "shard_failed 0"])
        return try store.reader.shard(ShardID(0), of: ownership.run)?.error
    }

    @Test func errorWithCharactersThatTheEncodingLacksIsRecordedInASCII() throws {
        try inLatin1 { store in
            let told = try fail("caf\u{E9} \u{2192} \u{65E5}\u{2026}", store)
            #expect(told == #"caf\u{e9} \u{2192} \u{65e5}\u{2026}"#)
        }
    }

    @Test func errorThatTheEncodingHasStaysAsItIs() throws {
        try inLatin1 { store in
            let told = try fail("caf\u{E9}", store)
            #expect(told == "caf\u{E9}")
        }
        let told = try fail("\u{2192} \u{65E5}", try TestDatabase.current.ledger())
        #expect(told == "\u{2192} \u{65E5}")
    }

    /// No database has the null character, and libpq would end the text there.
    @Test func nullCharacterInAnErrorHidesNothing() throws {
        let told = try fail("before\0after", try TestDatabase.current.ledger())
        #expect(told == #"before\u{0}after"#)
    }

    @Test(arguments: ["north\0south", "n\u{F6}rd"])
    func hostOfAnyNameIsNotedAmongTheWorkers(host: String) throws {
        let store = try TestDatabase.current.ledger()
        let ownership = try store.ownedRun()
        let worker = WorkerRecord(id: .first, host: host, pid: 7)
        try store.coordinator.note([worker], of: ownership.run)
        let expected = host.contains("\0") ? #"north\u{0}south"# : host
        #expect(try store.reader.workers(of: ownership.run, includeGone: false).map(\.host) == [expected])
        try store.coordinator.noteEnd([worker], of: ownership.run)
        #expect(try store.reader.workers(of: ownership.run, includeGone: false).isEmpty)
    }

    @Test func hostThatTheEncodingLacksIsNotedInASCII() throws {
        try inLatin1 { store in
            let ownership = try store.ownedRun()
            let worker = WorkerRecord(id: .first, host: "\u{5317}", pid: 7)
            try store.coordinator.note([worker], of: ownership.run)
            #expect(try store.reader.workers(of: ownership.run, includeGone: false).map(\.host) == [#"\u{5317}"#])
            try store.coordinator.noteEnd([worker], of: ownership.run)
            #expect(try store.reader.workers(of: ownership.run, includeGone: false).isEmpty)
            _ = try store.coordinator.release(ownership, as: .paused)
            let again = try store.coordinator.takeOver(ownership.run, as: .coordinator, host: "\u{5317}", pid: 7)
            #expect(try store.reader.run(again.run).coordinator == #"\u{5317} pid 7"#)
        }
    }

    @Test func textInASCIISaysWhatWasLeftOut() {
        #expect("a\tb\n\u{7F}".inASCII == "a\tb\n\u{7F}")
        #expect("\0\u{1F600}".inASCII == #"\u{0}\u{1f600}"#)
    }
}
