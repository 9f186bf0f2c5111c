import Testing

@testable import Job

@Suite struct ConnectionTests {
    @Test(arguments: [
        "postgresql://app:hunter2@db/app", "postgres://app:hunter2@db", "postgres://:hunter2@/app",
        "postgresql://app:hunt?er2@db/app", "postgresql://app:hunt/er2@db/app", "postgresql://app:12/hunter2@db/app",
        "postgresql://app:hunter2@h1:5432,h2:5433/app", "  postgresql://app:hunter2@db/app",
        "POSTGRES://app:hunter2@db",
        "postgresql://app@db/app?password=hunter2", "postgresql://db/app?a=b&password=hunter2",
        "postgresql://?password=hunter2",
        "postgresql://db/app?pass%77ord=hunter2", "postgresql://db/app?sslpassword=hunter2",
        "postgresql://db?PASSWORD=hunter2",
        "password=hunter2", "host=db password=hunter2", "host=db password = 'hunter2 x'",
        "host='a b' sslpassword=hunter2",
        "host='it\\'s password' password=hunter2", "host=a\\ b password=hunter2", "host=db\n\tPassword=hunter2",
        "db password=hunter2", "password hunter2",
    ])
    func aPasswordIsRefusedAndNeverRepeated(text: String) throws {
        let reason = try #require(Job.checkConnection(text))
        #expect(!reason.contains("hunt") && !reason.contains("er2"))
        let yaml = text.replacing("'", with: "''").replacing("\n", with: " ").replacing("\t", with: " ")
        let error = try #require(refusal(of: "table: t\nset: { a: b }\ndatabase: '\(yaml)'"))
        #expect(error.line == 3)
        #expect(error.mend?.contains("PGPASSFILE") == true)
        #expect(!error.description.contains("hunt") && !error.description.contains("er2"))
    }

    @Test(arguments: [
        "", "app", "postgresql://", "postgresql:///app", "postgresql://app@db/app", "postgresql://app@[::1]:5432/app",
        "postgresql://h1:5432,h2:5433/app?target_session_attrs=any", "postgresql://db/app?passfile=/etc/pgpass",
        "postgresql://db:5432/app?application_name=a@b:c", "host=db user=app", "host = db  port= 5432",
        "host=db options='-c password_encryption=md5'", "passfile=/etc/password service=app", "user=password",
        "password_db",
        "host='unclosed",
    ])
    func aConnectionWithoutAPasswordIsTaken(text: String) {
        #expect(Job.checkConnection(text) == nil)
    }
}

@Suite struct NearestNameTests {
    @Test(arguments: [
        ("shard", "shards"), ("tabel", "table"), ("KEY", "key"), ("wher", "where"), ("databse", "database"),
        ("bacth", "batch"),
        ("comp", "compute"), ("k", nil), ("x", nil), ("columns", nil), ("", nil), ("ste", "set"),
    ])
    func onlyANearNameIsSuggested(name: String, nearest: String?) {
        #expect(nearestName(to: name, in: JobKeys.top) == nearest)
    }
}

@Suite struct QuantityTests {
    @Test(arguments: [
        ("123", 123), ("64KiB", 65_536), ("4MiB", 4_194_304), ("1GiB", 1_073_741_824), ("4MB", 4_000_000),
        ("3kB", 3000),
        ("3KB", 3000), ("2GB", 2_000_000_000),
    ])
    func bytesHaveBinaryAndDecimalUnits(text: String, bytes: Int) throws {
        #expect(try Quantity.bytes(text, in: 0...Int.max, rangeText: "") == bytes)
    }

    @Test(arguments: [
        ("500ms", 500), ("1s", 1000), ("2m", 120_000), ("1h", 3_600_000), ("1.5s", 1500), ("0.25s", 250),
        ("1.005s", 1005),
    ])
    func lengthsOfTimeHaveUnits(text: String, milliseconds: Int) throws {
        let duration = try Quantity.duration(text, in: .zero ... .seconds(86400), rangeText: "")
        #expect(duration == .milliseconds(milliseconds))
    }
}
