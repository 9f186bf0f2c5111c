import Testing

/// Which file uses which role of the ledger, and how the ledger's answers are read.
@Suite struct LedgerRoleTests {
    static let roles: Set<String> = [
        "CoordinatorLedger", "LedgerInstallation", "LedgerReader", "RunCancellation", "RunControl",
        "WorkerLedger",
    ]

    /// The roles of each file outside of the ledger, by path. All other files use no role.
    static let callers: [String: Set<String>] = [
        "Sources/CoordCLI/Cancel.swift": ["RunCancellation"],
        "Sources/CoordCLI/CommonOptions.swift": ["LedgerInstallation"],
        "Sources/CoordCLI/LedgerCommand.swift": ["LedgerInstallation"],
        "Sources/CoordCLI/LedgerCommand+Install.swift": ["LedgerInstallation"],
        "Sources/CoordCLI/PaceCommand.swift": ["LedgerReader", "RunControl"],
        "Sources/CoordCLI/Pause.swift": ["RunControl"],
        "Sources/CoordCLI/Resume.swift": ["LedgerReader"], "Sources/CoordCLI/Shards.swift": ["LedgerReader"],
        "Sources/CoordCLI/Status.swift": ["LedgerReader"], "Sources/CoordCLI/Workers.swift": ["LedgerReader"],
        "Sources/Coordinator/CoordinatorService+Outcome.swift": ["CoordinatorLedger"],
        "Sources/Coordinator/LedgerService.swift": ["CoordinatorLedger", "LedgerReader"],
        "Sources/Coordinator/RunOpening+Binding.swift": ["CoordinatorLedger"],
        "Sources/Coordinator/RunOpening.swift": [
            "CoordinatorLedger", "LedgerInstallation", "LedgerReader", "RunCancellation",
        ],
        "Sources/Worker/BatchRunner.swift": ["WorkerLedger"],
    ]

    /// The other roles that a role of the ledger uses. A worker needs none, and a reader does nothing but read.
    static let within: [String: Set<String>] = [
        "CoordinatorLedger": ["LedgerReader", "RunCancellation"], "LedgerInstallation": [], "LedgerReader": [],
        "RunCancellation": [], "RunControl": ["RunCancellation"], "WorkerLedger": [],
    ]

    private static func words(_ source: Checkout.Source) -> Set<String> {
        Set(source.lines.flatMap { $0.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.map(String.init) })
    }

    private static let ledger = Checkout.sources.filter { $0.folder == "Sources/Ledger" }

    @Test func eachCallerHasTheRoleThatItNeedsAndNoOther() {
        var met: Set<String> = []
        for source in Checkout.sources where source.folder.hasPrefix("Sources/") && source.folder != "Sources/Ledger" {
            let named = Self.words(source).intersection(Self.roles)
            if named.isEmpty { continue }
            met.insert(source.path)
            let surplus = named.subtracting(Self.callers[source.path] ?? [])
            #expect(surplus.isEmpty, "\(source.path) is \(surplus.sorted()) too")
            let idle = (Self.callers[source.path] ?? []).subtracting(named)
            #expect(idle.isEmpty, "\(source.path) does not need to be \(idle.sorted())")
        }
        #expect(met == Set(Self.callers.keys), "a caller is not there any more")
    }

    @Test func rolesOfTheLedgerAskOnlyWhomTheyMay() throws {
        for (role, others) in Self.within {
            let sources = Self.ledger.filter { $0.head == role }
            #expect(!sources.isEmpty)
            for source in sources {
                let surplus = Self.words(source).intersection(Self.roles).subtracting(others.union([role]))
                #expect(surplus.isEmpty, "\(source.path) asks \(surplus.sorted())")
            }
        }
    }

    @Test func readerWritesAndLocksNothing() {
        let writing: Set<String> = ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "SHARE", "LOCK"]
        for source in Self.ledger where source.head == "LedgerReader" || source.name == "RunColumns.swift" {
            #expect(Self.words(source).isDisjoint(with: writing), "\(source.path)")
        }
    }

    /// The files that may call the connection or look into a result.
    static let decoders: Set<String> = ["LedgerColumns.swift", "LedgerQuery.swift"]

    @Test func columnsAreReadByTheirNamesAlone() {
        let byNumber = /\.(?:text|int|bool|bytes|isNull)\(|PostgresResult|PostgresRow/
        let call = /\.(?:execute(?!\(script:)|executePrepared|describe|send|nextResult|forEachRow)\(/
        var needed: Set<String> = []
        for source in Self.ledger {
            for line in source.lines where line.contains(byNumber) || line.contains(call) {
                needed.insert(source.name)
                #expect(Self.decoders.contains(source.name), "\(source.path): \(line)")
            }
        }
        #expect(needed == Self.decoders, "an exception is not needed any more")
    }

    @Test func nothingStandsInForWhatAColumnHolds() {
        let decoding = Self.ledger.filter { $0.name.contains("Queries.") || $0.name.contains("Columns.") }
        #expect(decoding.count > 8)
        for source in decoding where !Self.decoders.contains(source.name) {
            for line in source.lines where line.contains("??") || line.contains("try?") {
                Issue.record("\(source.path): \(line)")
            }
        }
    }

    @Test func eachStatementHasAStableNameOfItsOwn() {
        var names: [String: String] = [:]
        var statements = 0
        for source in Self.ledger {
            for line in source.lines {
                if line.contains(/struct \w+: Ledger(?:Query|Statement) \{/) { statements += 1 }
                guard let match = line.firstMatch(of: /static let name = "(\w+)"/) else { continue }
                let name = String(match.1)
                #expect(name.hasPrefix("coord_"), "\(source.path): \(name)")
                let other = names.updateValue(source.path, forKey: name)
                #expect(other == nil, "\(name) is in \(source.path) and \(other ?? "")")
            }
        }
        #expect(names.count == statements)
        #expect(statements > 30)
    }
}
