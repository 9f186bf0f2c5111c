import Testing

/// The limits, defaults and times in the documentation's tables are those of the sources.
@Suite struct ConstantTests {
    /// The cells of the rows of a table.
    private static func rows(_ document: String, under head: String) throws -> [[String]] {
        let lines = try Checkout.text(document).split(separator: "\n", omittingEmptySubsequences: false)
        var rows: [[String]] = []
        for (index, line) in lines.enumerated() where line == head {
            for row in lines[(index + 2)...].prefix(while: { $0.hasPrefix("|") }) {
                rows.append(row.split(separator: "|").map { $0.trimming() })
            }
        }
        return rows
    }

    /// The last column names the constants in the order of their values.
    @Test(arguments: [("docs/architecture.md", 21), ("docs/operating/bloat.md", 9)])
    func constantsInAPageAreThoseOfTheSources(page: String, atLeast: Int) throws {
        let rows = try Self.rows(page, under: "| constant | value | where |")
        #expect(rows.count >= atLeast)
        for row in rows {
            let title = row[0]
            var wanted: [Quantity] = []
            var type = Substring()
            for match in row[2].matches(of: /(twice )?`([\w.]+)`/) {
                let name = match.2
                guard name.contains(".") || !type.isEmpty else { continue }
                if name.contains("."), let end = name.lastIndex(of: ".") { type = name[..<end] }
                let constant = Constant(name: name.contains(".") ? String(name) : "\(type).\(name)")
                wanted += try constant.values().map { match.1 == nil ? $0 : $0.doubled }
            }
            #expect(!wanted.isEmpty, "\(title): no constant is named in the last column")
            #expect(Quantity.all(in: row[1]) == wanted, "\(title): \(row[1])")
        }
    }

    /// A table of the documentation. For each row with numbers it names the constants of those numbers, in their order.
    struct Table: CustomTestStringConvertible, Sendable {
        var document: String
        var head: String
        /// The constants by the text of the first cell without its link. Nil stands for a number that has no named
        /// constant.
        var constants: [String: [String?]]
        var testDescription: String { document }
    }

    static let tables = [
        Table(
            document: "docs/job-file.md", head: "| key | type | default | limits |",
            constants: [
                "name": [nil, "Job.maximumNameLength"], "key": [nil, "Key.columnLimit"],
                "set": [nil, "Job.maximumColumns"],
                "read": ["Job.maximumColumns"], "batch": ["BatchLimits.rows", "BatchLimits.bytes"],
                "shards": ["ShardCount.range"], "lock_patience": ["Job.defaultLockPatience", nil, nil],
                "time_zone": [nil, "Job.maximumTimeZoneBytes"],
                "retry": ["RetryPolicy.attempts", "RetryPolicy.backoff", "RetryPolicy.maxBackoff"],
                "ledger_schema": [nil, "LedgerSchema.maximumBytes"],
                "command": [nil, "Job.maximumCommandWords"], "transform": [nil, "Job.maximumNameLength"],
                "writes": [nil, "Job.maximumColumns"], "timeout": ["Job.defaultTimeout", nil, nil],
                "rows": ["BatchLimits.rows", "BatchLimits.rowsRange"],
                "bytes": ["BatchLimits.bytes", "BatchLimits.bytesRange"],
                "attempts": ["RetryPolicy.attempts", "RetryPolicy.attemptsRange"],
                "backoff": ["RetryPolicy.backoff", nil, nil], "max_backoff": ["RetryPolicy.maxBackoff", nil],
            ]),
        Table(
            document: "docs/operating/hosts.md", head: "| key | type | default | limits |",
            constants: [
                "coordinator": [nil, "InventoryHost.maximumTextBytes"], "here": ["Inventory.hereRange"],
                "hosts": [nil, "Inventory.maximumHosts", nil, "Job.maximumNameLength"],
            ]),
        Table(
            document: "docs/operating/hosts.md", head: "| key of a host | type | default | limits |",
            constants: [
                "address": [nil, "InventoryHost.maximumTextBytes"], "user": [nil, "InventoryHost.maximumTextBytes"],
                "port": [nil, "InventoryHost.portRange"], "workers": ["InventoryHost.workersRange", nil],
                "path": [nil, "InventoryHost.maximumTextBytes"], "database": [nil, "InventoryHost.maximumTextBytes"],
                "environment": ["InventoryHost.maximumVariables", "InventoryHost.maximumEnvironmentBytes"],
            ]),
        Table(
            document: "docs/operating/start.md", head: "| option | of | default | meaning |",
            constants: [
                "--workers N": [nil, "CoordinationOptions.workerLimit", nil],
                "--connect EP": ["WorkerCommand.endpointLimit"],
                "--give-up-after S": ["WorkerCommand.giveUpAfter", nil, nil],
            ]),
        Table(
            document: "docs/operating/start.md", head: "| setting | value |",
            constants: [
                "lock_timeout": ["PostgresSession.lockTimeoutSeconds"],
                "statement_timeout": ["PostgresSession.statementTimeoutSeconds"],
                "idle_in_transaction_session_timeout": [
                    "PostgresSession.idleInTransactionTimeoutSeconds", "PostgresSession.statementTimeoutSeconds",
                ],
                "client_connection_check_interval": [nil, nil], "idle_session_timeout": [nil, nil],
                "gin_fuzzy_search_limit": [nil], "TCP keepalives": [nil, nil, nil, nil],
                "silence of the server, while something is waited for": [
                    "PostgresConnection.Settings.defaultSilenceLimit"
                ],
                "time to connect to one address": ["PostgresConnecting.addressLimit"],
            ]),
    ]

    @Test(arguments: tables) func defaultsAndLimitsInTheDocumentsAreThoseOfTheSources(_ table: Table) throws {
        let rows = try Self.rows(table.document, under: table.head)
        var met: Set<String> = []
        for row in rows {
            let title = row[0].firstMatch(of: /`([^`]+)`/).map { String($0.1) } ?? row[0]
            let found = row.dropFirst().flatMap { Quantity.all(in: $0) }
            guard let constants = table.constants[title] else {
                #expect(found.isEmpty, "\(title): say in \(#fileID) where \(found) come from")
                continue
            }
            met.insert(title)
            var wanted: [Quantity] = []
            for constant in constants {
                guard let constant else {
                    // A number without a constant is not checked.
                    if wanted.count < found.count { wanted.append(found[wanted.count]) }
                    continue
                }
                let values = try Constant(name: constant).values()
                wanted += values
            }
            #expect(found == wanted, "\(title)")
        }
        #expect(met == Set(table.constants.keys), "a row is not there any more")
    }
}

extension Substring {
    fileprivate func trimming() -> String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
