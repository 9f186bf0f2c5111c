import Postgres
import Testing

@Suite struct RecoveryTests {
    @Test(arguments: [
        "40000", "40001", "40P01", "55P03", "57014", "55006", "53000", "53200", "53100", "58000", "58030", "72000",
    ])
    func passingTroubleIsTriedAgain(_ sqlState: String) {
        #expect(Recovery.of(sqlState: sqlState) == .retry)
    }

    @Test(arguments: [
        nil, "08000", "08001", "08003", "08006", "08P01", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "25006",
        "53300", "40003",
    ])
    func lostConnectionsAndReadOnlyServersMeanReconnect(_ sqlState: String?) {
        #expect(Recovery.of(sqlState: sqlState) == .reconnect)
    }

    @Test(arguments: ["42501", "28000", "28P01"])
    func missingRightsMustBeGranted(_ sqlState: String) {
        #expect(Recovery.of(sqlState: sqlState) == .authorize)
    }

    @Test(arguments: [
        "22001", "22003", "22012", "22P02", "23502", "23503", "23505", "23514", "25P02", "3D000", "42601", "42703",
        "42P01", "42804", "0A000", "P0001", "XX000", "XX001", "57P04", "53400", "58P01", "F0000", "",
    ])
    func everythingElseIsPermanent(_ sqlState: String) {
        #expect(Recovery.of(sqlState: sqlState) == .permanent)
    }

    @Test func descriptionHasTheMessageAndTheStateButNoDetail() {
        let error = PostgresError(sqlState: "23505", message: "duplicate key", detail: "Key (id)=(7)", hint: "h")
        #expect(error.description == "duplicate key (SQLSTATE 23505)")
        #expect(PostgresError(sqlState: nil, message: "gone").description == "gone")
        #expect(error.recovery == .permanent)
    }
}
