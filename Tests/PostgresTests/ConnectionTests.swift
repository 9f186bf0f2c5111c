import Postgres
import Support
import Testing

@Suite(.database) struct ConnectionTests {
    private let database = TestDatabase.current

    private func failure(_ conninfo: String, setup: [String] = []) throws -> PostgresError {
        try postgresError {
            _ = try PostgresConnection(.init(conninfo: conninfo, applicationName: "coord test", setup: setup))
        }
    }

    @Test func serverThatIsAwayMeansReconnect() throws {
        let folder = try failure("host=/nonexistent-folder dbname=\(database.name)")
        #expect(folder.sqlState == nil)
        #expect(folder.recovery == .reconnect)
        #expect(folder.message.hasPrefix("cannot connect: "))

        // Nobody listens on TCP port 1.
        let port = try failure("host=127.0.0.1 port=1 dbname=\(database.name)")
        #expect(port.recovery == .reconnect)
    }

    @Test func databaseThatDoesNotExistIsPermanent() throws {
        let error = try failure("dbname=coord_no_such_database")
        #expect(error.sqlState == "3D000")
        #expect(error.recovery == .permanent)
        #expect(error.message.contains("coord_no_such_database"))
    }

    @Test func roleThatDoesNotExistMustBeAuthorized() throws {
        let error = try failure("dbname=\(database.name) user=coord_no_such_role")
        #expect(error.sqlState == "28000")
        #expect(error.recovery == .authorize)
    }

    @Test func roleThatMayNotConnectMustBeAuthorized() throws {
        let role = try database.makeRole()
        try database.connect().execute("REVOKE CONNECT ON DATABASE \(database.name) FROM public")
        #expect(try failure("dbname=\(database.name) user=\(role)").recovery == .authorize)
    }

    @Test(arguments: [
        "postgresql://%zz", "dbname", "nonsense=1 dbname=x", "service=coord_no_such_service", "sslmode=perhaps",
        "port=x", "host=a,b,c port=1,2", "target_session_attrs=whatever",
        "sslmode=verify-full sslrootcert=/nonexistent host=127.0.0.1",
    ])
    func settingsThatLibPQCannotReadAreNotWorthATryAgain(_ conninfo: String) throws {
        // libpq takes a word without "=" for a database's name, so this case gets one with spaces.
        let error = try failure(conninfo == "dbname" ? "dbname =x y" : conninfo)
        #expect(error.recovery == .permanent)
    }

    @Test func sessionWhoseSetupFailsIsClosed() async throws {
        let watcher = try database.connect()
        let error = try failure("dbname=\(database.name)", setup: ["SET application_name = 'broken'", "SELEKT"])
        #expect(error.sqlState == "42601")
        try await watcher.awaitTrue(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'broken'",
            "the session outlives the failed init")
    }

    @Test func conninfoMayBeAURIAndLosesAgainstTheApplicationsOwnName() throws {
        let connection = try PostgresConnection(
            .init(conninfo: "postgresql:///\(database.name)?application_name=other", applicationName: "coord test"))
        #expect(try connection.execute("SELECT current_database()").text(0, 0) == database.name)
        #expect(try connection.execute("SHOW application_name").text(0, 0) == "coord test")
        #expect(try connection.execute("SHOW client_encoding").text(0, 0) == "UTF8")
    }

    @Test func errorOfTheServerKeepsItsPartsApart() throws {
        let connection = try database.connect()
        try connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
        try connection.execute("INSERT INTO t VALUES (42)")
        let duplicate = try postgresError { try connection.execute("INSERT INTO t VALUES (42)") }
        #expect(duplicate.sqlState == "23505")
        #expect(duplicate.detail?.contains("42") == true)
        #expect(!duplicate.description.contains("42)"), "row data in \(duplicate)")
        #expect(duplicate.description.hasSuffix("(SQLSTATE 23505)"))

        let unknown = try postgresError { try connection.execute("SELECT idd FROM t") }
        #expect(unknown.sqlState == "42703")
        #expect(unknown.position == 8)
        #expect(unknown.hint?.contains("t.id") == true)
        #expect(try connection.execute("SELECT 1").int(0, 0) == 1)
    }

    @Test func identifiersAreQuotedByTheServersRules() throws {
        let connection = try database.connect()
        #expect(try connection.quote(identifier: "Order \"Items\"") == "\"Order \"\"Items\"\"\"")
    }

    @Test func describeNeitherRunsTheStatementNorLeavesItBehind() throws {
        let connection = try database.connect()
        try connection.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
        let description = try connection.describe("DELETE FROM t WHERE id = $1 RETURNING id, name")
        #expect(description.columns == 2)
        #expect(description.type(0) == 20)
        #expect(description.type(1) == 25)
        #expect(try connection.describe("SELECT 1").columns == 1)
    }

    @Test func resultTellsRowsNullsAndCommandsApart() throws {
        let connection = try database.connect()
        let result = try connection.execute(
            "SELECT 1::bigint, NULL, '', true, false UNION ALL SELECT 2, 'x', 'y', true, NULL")
        #expect(result.rows == 2)
        #expect(result.columns == 5)
        #expect(result.int(1, 0) == 2)
        #expect(result.isNull(0, 1) && result.text(0, 1) == nil && result.bytes(0, 1) == nil)
        #expect(result.text(0, 2) == "")
        #expect(result.bytes(0, 2)?.isEmpty == true)
        #expect(result.bool(0, 3) == true && result.bool(0, 4) == false && result.bool(1, 4) == nil)
        try connection.execute("CREATE TABLE t AS SELECT generate_series(1, 7) AS i")
        #expect(try connection.execute("UPDATE t SET i = i + 1 WHERE i > 3").affected == 4)
        #expect(try connection.execute("SET work_mem = '4MB'").affected == 0)
    }
}
