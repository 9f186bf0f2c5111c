import Testing

@Suite struct PlanTests {
    @Test func skewedKeysGiveRangesThatTileAndHoldAboutEqualNumbersOfRows() async throws {
        try await Scenario.run { scenario in
            try await scenario.session.execute(
                "CREATE TABLE skewed (id bigint PRIMARY KEY, n int)",
                """
                INSERT INTO skewed SELECT generate_series(1, 1000)
                UNION ALL SELECT generate_series(1000000000000, 1000000020000)
                """,
                "ANALYZE skewed")
            let job = try scenario.job("table: skewed\nset: { n: 1 }\nshards: 16\n")
            let plan = try await scenario.run("plan", job, "--json", "--workers", "2")
            #expect(plan.status == 0, "\(plan.errors)")
            let object = try JSON(plan.output)
            #expect(object["rows_estimated"].int == 21_001)
            let ranges = object["ranges"].elements
            #expect(ranges.count == 16)
            #expect(ranges.first?["after"].isNull == true)
            // The last range ends at the table's highest key.
            #expect(ranges.last?["through"].string == "1000000020000")
            for (range, next) in zip(ranges, ranges.dropFirst()) {
                #expect(range["through"].string != nil)
                #expect(range["through"].string == next["after"].string)
            }
            let mean = 21_001.0 / Double(ranges.count)
            for range in ranges {
                let rows = try await scenario.session.int(
                    """
                    SELECT count(*) FROM skewed WHERE id > \(range["after"].string ?? "-1")
                        AND id <= \(range["through"].string ?? "9223372036854775807")
                    """)
                #expect(abs(Double(rows) - mean) < mean * 0.3, "\(range["after"].string ?? "first"): \(rows) rows")
                #expect(abs(Double(range["rows_estimated"].int ?? 0) - mean) < mean * 0.3)
            }
            #expect(try await scenario.session.bool("SELECT to_regnamespace('coord') IS NULL"))
        }
    }
}
