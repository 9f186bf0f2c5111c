import Testing

@testable import Postgres

@Suite struct ConnectFailureTests {
    private func failure(_ message: String, isAttempted: Bool = true, needsPassword: Bool = false) -> ConnectFailure {
        ConnectFailure(message, isAttempted: isAttempted, needsPassword: needsPassword)
    }

    private static let server = "connection to server at \"db1\" (10.0.0.1), port 5432 failed: "

    @Test func codeOfTheServerIsFoundInAnyLanguageAndTakenOutOfTheMessage() {
        let refusal = failure(
            "\(Self.server)ВАЖНО:  28P01: Passwort-Authentifizierung für Benutzer »x« fehlgeschlagen\n"
                + "LOCATION:  auth_failed, auth.c:334")
        #expect(refusal.sqlState == "28P01")
        #expect(
            refusal.message == "\(Self.server)ВАЖНО:  Passwort-Authentifizierung für Benutzer »x« fehlgeschlagen")
    }

    @Test func codeInTheServersOwnWordsIsNone() {
        #expect(failure("\(Self.server)FATAL:  57P03: a:  28P01: b").sqlState == "57P03")
        #expect(failure("\(Self.server)FATAL:  sorry:  28P01: b").sqlState == nil)
    }

    @Test func refusalWeighsMoreThanHostsThatAreAway() {
        let away = "connection to server at \"db0\", port 1 failed: Connection refused\n"
        let starting = "\(Self.server)FATAL:  57P03: the database system is starting up\nLOCATION:  x, y.c:1\n"
        #expect(failure(away + "\(Self.server)FATAL:  28000: no").sqlState == "28000")
        #expect(failure(starting + "\(Self.server)FATAL:  28000: no").sqlState == "28000")
        #expect(failure(away + starting).sqlState == "57P03")
        #expect(failure(away).sqlState == nil)
        #expect(Recovery.of(sqlState: failure(starting + away).sqlState) == .reconnect)
    }

    @Test(arguments: [
        "definition of service \"x\" not found", "invalid connection option \"nonsense\"",
        "invalid sslmode value: \"perhaps\"", "could not match 2 port numbers to 3 hosts", "invalid port number: \"x\"",
    ])
    func faultsOfTheSettingsAreNotWorthATryAgain(_ message: String) {
        #expect(failure(message).sqlState == "F0000")
    }

    @Test(arguments: [
        "root certificate file \"/root.crt\" does not exist", "SSL error: certificate verify failed",
        "server certificate for \"a\" does not match host name \"b\"",
        "server does not support SSL, but SSL was required",
    ])
    func faultsOfCertificatesAreNotWorthATryAgain(_ message: String) {
        #expect(failure(Self.server + message).sqlState == "F0000")
    }

    @Test(arguments: [
        "could not translate host name \"db1\" to address: Temporary failure in name resolution", "out of memory",
        "\(server)Connection refused\n\tIs the server running on that host?", "\(server)server closed the connection",
        "\(server)could not create socket: Too many open files",
    ])
    func serversThatAreAwayMayComeBack(_ message: String) { #expect(failure(message).sqlState == nil) }

    @Test func passwordThatNobodyHasMustBeGiven() {
        #expect(failure("\(Self.server)fe_sendauth: no password supplied", needsPassword: true).sqlState == "28000")
    }
}
