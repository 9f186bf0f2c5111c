import ArgumentParser
import Testing

@testable import CoordCLI

@Suite struct CommandNameTests {
    @Test(arguments: [
        ("sttaus", "coord has no command 'sttaus'; did you mean coord status?"),
        // 'stat' differs from 'start' by one letter, and from 'status' by two. It is a beginning of 'status'.
        ("stat", "coord has no command 'stat'; did you mean coord status?"),
        // Two commands begin with 'sta'.
        ("sta", "coord has no command 'sta'\n"),
        ("can", "coord has no command 'can'; did you mean coord cancel?"),
        ("help nonsense", "coord has no command 'nonsense'\n"),
        ("ledger instal", "coord ledger has no command 'instal'; did you mean coord ledger install?"),
        ("help ledger nonsense", "coord ledger has no command 'nonsense'\n"),
        ("\u{1B}[2J", "coord has no command '\\e[2J'\n"),
    ])
    func wordThatIsNoCommandIsToldWithTheNearest(arguments: String, message: String) throws {
        let fault = try #require(CommandNames.fault(of: arguments.split(separator: " ").map(String.init)))
        #expect(fault.description.hasPrefix(message))
        #expect(fault.description.contains("\n  its commands: "))
        #expect(ExitStatus.of(fault) == .usage)
    }

    @Test(arguments: [
        "", "status", "help", "help start", "help ledger install", "ledger", "ledger install", "--version", "-h",
        "batch-statement x", "status sttaus", "--json sttaus", "help help",
    ])
    func whatIsACommandIsLeftToTheParser(arguments: String) {
        #expect(CommandNames.fault(of: arguments.split(separator: " ").map(String.init)) == nil)
    }

    @Test(arguments: [
        (
            "start j.yaml --listen 27700",
            "--listen 27700: an endpoint is tcp://127.0.0.1:27700, tcp://HOST:PORT or ipc://PATH"
        ),
        (
            "start j.yaml --listen tcp://127.0.0.1",
            "an endpoint is tcp://127.0.0.1:27700, tcp://HOST:PORT or ipc://PATH"
        ),
        ("start j.yaml --listen ipc://", "an endpoint is"),
        ("worker --connect db1:5", "--connect db1:5: an endpoint is tcp://127.0.0.1:5, tcp://HOST:PORT or ipc://PATH"),
        ("status --database postgresql://me:hunter2@h/d", "PGPASSFILE"),
    ])
    func whatIsMissingIsSaid(arguments: String, message: String) {
        do {
            _ = try CoordCommand.parseAsRoot(arguments.split(separator: " ").map(String.init))
            Issue.record("it was taken")
        } catch {
            #expect(CoordCommand.message(for: error).contains(message))
            #expect(!CoordCommand.fullMessage(for: error).contains("hunter2"))
        }
    }
}

@Suite struct BuildTests {
    @Test(
        arguments: [
            (0, nil), (0x3291_5a00, nil), (0x2291_5a00 >> 4, nil), (1 << 29 | 0x129_15a0, "12915a0"),
            (3 << 28 | 0x129_15a0, "12915a0-dirty"), (1 << 29 | 0xa, "000000a"), (1 << 45 | 1 << 29, nil),
        ] as [(UInt64, String?)])
    func commitIsWhatTheLinkerGave(number: UInt64, commit: String?) {
        if number == 0x3291_5a00 {
            #expect(Build.commit(number) == "2915a00-dirty")
        } else {
            #expect(Build.commit(number) == commit)
        }
    }

    @Test func versionNamesTheLibraries() {
        #expect(
            Build.description.wholeMatch(
                of: /coord 0\.1\.0( \([0-9a-f]{7}(-dirty)?\))?\nlibpq \d+\.\d+, libzmq \d+\.\d+\.\d+/)
                != nil)
    }
}

@Suite struct DatabaseURLTests {
    private static let known: Set<String> = ["host", "sslmode", "application_name", "connect_timeout", "password"]

    @Test(arguments: [
        ("postgres://u:p@h:5432/d", "postgresql://u:p@h:5432/d", ""),
        ("postgis://u@h/d", "postgresql://u@h/d", ""),
        ("postgresql+psycopg://u:p%40q@h/d?sslmode=require", "postgresql://u:p%40q@h/d?sslmode=require", ""),
        (
            "postgresql://h/d?pool=5&sslmode=require&pgbouncer=true&schema=public", "postgresql://h/d?sslmode=require",
            "pool pgbouncer schema"
        ),
        ("postgresql:///d?host=/run/postgresql", "postgresql:///d?host=/run/postgresql", ""),
        ("postgresql://u:p?q@h/d?connection_limit=1", "postgresql://u:p?q@h/d", "connection_limit"),
        ("postgresql://[::1]:5432/d", "postgresql://[::1]:5432/d", ""),
        ("postgresql://h1:1,h2:2/d?application_name=a@b", "postgresql://h1:1,h2:2/d?application_name=a@b", ""),
        ("postgresql://h/d?ssl=true", "postgresql://h/d?ssl=true", ""),
        ("postgresql://", "postgresql://", ""),
    ])
    func whatLibpqDoesNotKnowIsLeftOut(text: String, conninfo: String, ignored: String) throws {
        let url = try DatabaseURL(text, known: Self.known)
        #expect(url.conninfo == conninfo)
        #expect(url.ignored.joined(separator: " ") == ignored)
    }

    @Test(arguments: [
        "postgres://u:hunter/2@h/d", "postgres://u:hunter@2@h/d", "postgres://u:hunter2", "postgres://u:hunter%2@h/d",
        "postgres://u:hunter%zz@h/d", "postgres://u:1/hunter?2@h/d", "postgres://u:p@h/d?hunter2",
        "postgres://u:p@h/d?schema=app", "postgres://u:p@h/d?currentSchema=app", "postgres://u:p@h/d?sslaccept=strict",
        "postgres://u:p@h/d?tls=true", "postgres://u:p@h/d?hun%74er2=1", "postgres://u:hunter%00@h/d",
    ])
    func whatWouldBeMisreadIsRefusedAndNotRepeated(text: String) {
        do throws(DatabaseURL.Refusal) {
            Issue.record("\(try DatabaseURL(text, known: Self.known))")
        } catch {
            guard case .unclear(let reason) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(!reason.contains("hun"))
        }
    }

    @Test(arguments: ["mysql://u:p@h/d", "sqlite:///x", "hunter2", "host=h password=p"])
    func anotherDatabaseIsIgnored(text: String) {
        #expect(throws: DatabaseURL.Refusal.foreign) { try DatabaseURL(text, known: Self.known) }
        var notes: [String] = []
        let conninfo = try? CommonOptions.inheritedConninfo(
            { notes.append("\($0) \($1)") }, environment: { $0 == "DATABASE_URL" ? text : nil })
        #expect(conninfo == .some(nil))
        #expect(notes == ["DATABASE_URL is not one of PostgreSQL: ignored false"])
    }

    @Test(
        arguments: [
            (["DATABASE_URL": "postgres://u:p@h/d"], "postgresql://u:p@h/d"),
            (["DATABASE_URL": "postgres://h/d", "PGHOST": "other"], nil),
            (["DATABASE_URL": "postgres://h/d", "PGSERVICE": "other"], nil),
            (["DATABASE_URL": "postgres://h/d", "PGHOST": ""], "postgresql://h/d"),
            (["DATABASE_URL": "postgres://h/d", "PGUSER": "me", "PGPASSFILE": "x"], "postgresql://h/d"),
            (["DATABASE_URL": "postgres://h/d", "COORD_DATABASE": "service=x"], "service=x"),
            (["DATABASE_URL": ""], nil), ([:], nil),
        ] as [([String: String], String?)])
    func itIsReadLast(environment: [String: String], conninfo: String?) throws {
        #expect(try CommonOptions.inheritedConninfo(environment: { environment[$0] }) == conninfo)
    }
}
