import Foundation
import Postgres
import Support
import Testing

/// coord recognises refusals by their codes, also from a server that words them in German.
@Suite struct LanguageTests {
    @Test(
        .enabled(if: GermanServer.isPossible, "needs localedef and PostgreSQL's translations"), .timeLimit(.minutes(2)))
    func refusalsAreToldApartInAnyLanguage() throws {
        let server = try GermanServer()
        defer { server.end() }
        let owner = try server.connect("host=\(server.host) user=postgres dbname=postgres")
        for statement in [
            "CREATE ROLE guest LOGIN", "CREATE ROLE crowd LOGIN CONNECTION LIMIT 0", "CREATE DATABASE closed",
            "REVOKE CONNECT ON DATABASE closed FROM public",
        ] { try owner.execute(statement) }
        try server.admit([
            "local postgres all trust", "local closed all trust", "local all postgres trust",
            "host all all 127.0.0.1/32 scram-sha-256",
        ])
        try owner.awaitReload(of: "pg_hba_file_rules", "SELECT count(*) = 4 FROM pg_hba_file_rules")
        func refusal(_ conninfo: String) throws -> PostgresError {
            let error = try postgresError { _ = try server.connect(conninfo) }
            #expect(!error.message.contains("LOCATION"))
            return error
        }
        let tcp = "host=127.0.0.1 sslmode=disable"
        let password = try refusal("\(tcp) user=postgres dbname=postgres password=wrong")
        #expect(password.sqlState == "28P01" && password.recovery == .authorize)
        #expect(password.message.contains("FATAL:  Passwort"))

        let nobody = try refusal("host=\(server.host) user=coord_no_such_role dbname=postgres")
        #expect(nobody.sqlState == "28000" && nobody.recovery == .authorize)
        #expect(nobody.message.contains("existiert nicht"))

        let nowhere = try refusal("host=\(server.host) user=postgres dbname=coord_no_such_database")
        #expect(nowhere.sqlState == "3D000" && nowhere.recovery == .permanent)

        let unlisted = try refusal("host=\(server.host) user=guest dbname=template1")
        #expect(unlisted.sqlState == "28000" && unlisted.recovery == .authorize)
        #expect(unlisted.message.contains("pg_hba.conf"))

        #expect(try refusal("host=\(server.host) user=guest dbname=closed").recovery == .authorize)
        #expect(try refusal("\(tcp) user=guest dbname=postgres passfile=/dev/null").sqlState == "28000")

        let crowd = try refusal("host=\(server.host) user=crowd dbname=postgres")
        #expect(crowd.sqlState == "53300" && crowd.recovery == .reconnect)

        // The first host is away, and the second refuses.
        let port = server.port
        let both = try postgresError {
            _ = try PostgresConnection(
                .init(
                    conninfo: "host=/nonexistent-folder,\(server.host) port=1,\(port) user=coord_no_such_role",
                    applicationName: "coord test"))
        }
        #expect(both.recovery == .authorize)
        #expect(both.message.contains("/nonexistent-folder"))
    }
}

extension PostgresConnection {
    fileprivate func awaitReload(of name: String, _ condition: String) throws {
        for _ in 0..<500 {
            // The server shows the content of the file at each query, before and after the reload.
            if try execute(condition).bool(0, 0) == true { return }
            usleep(10_000)
        }
        Issue.record("\(name) was not read again within 5 s")
    }
}
