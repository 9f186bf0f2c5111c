import Testing

/// A file has one principal type and the type's name. A split type has files `Type+Aspect.swift`.
@Suite struct FileNameTests {
    /// Types in the file of another type, which takes or returns them, by file.
    static let companions: [String: Set<String>] = [
        "Sources/Batches/BatchReader.swift": ["HeldBatch"],
        "Sources/Batches/BatchStatements.swift": ["Mechanisms"],
        "Sources/Batches/Binding.swift": ["BindingFault"],
        "Sources/Dispatching/DispatchAction.swift": ["DispatchOutcome"],
        "Sources/Ledger/LedgerColumns.swift": ["LedgerColumn", "LedgerRow"],
        "Sources/Ledger/LedgerQuery.swift": ["LedgerStatement"],
        "Sources/Ledger/ShardColumns.swift": ["CursorColumns", "PositionColumns", "RangeColumns"],
        "Sources/Sharding/KeyRange.swift": ["TilingError"],
        "Sources/Worker/BatchRunner.swift": ["CommitResult"], "Sources/Worker/WorkerService.swift": ["WorkerError"],
    ]

    /// Files without a type of their own name, and what they contain instead.
    static let unnamed: [String: String] = [
        "Sources/Job/NearestName.swift": "functions",
        "Sources/Sharding/Identifiers.swift": "numbers of runs, shards and epochs, and names of workers, a line each",
        "Sources/Sharding/Shard.swift": "what the ledger says of a shard",
        "Sources/Wire/Codec.swift": "short names for what protoc wrote, and its one error",
        "Sources/Worker/TestSwitches.swift": "a type of debug builds alone, which is indented",
        "Tests/Support/ExpectedError.swift": "functions",
    ]

    private struct Declared {
        var types: Set<String> = []
        var extended: Set<String> = []
    }

    /// The declarations at the top level of a file that other files can see.
    private static func declared(in source: Checkout.Source) -> Declared {
        var declared = Declared()
        let type = /(?<access>(?:\w+ )*?)(?:struct|enum|class|actor|protocol|typealias|macro) (?<name>\w+)/
        for line in source.lines where line.first?.isLetter == true || line.first == "@" {
            let line = line.replacing(#/@\w+(?:\([^)]*\))? /#, with: "")
            if let match = line.prefixMatch(of: /(?:\w+ )*extension (?:[\w.]+\.)?(\w+)/) {
                declared.extended.insert(String(match.1))
            } else if let match = line.prefixMatch(of: type), !match.access.contains("private") {
                declared.types.insert(String(match.name))
            }
        }
        return declared
    }

    private static let sources = Checkout.sources.filter {
        ($0.folder.hasPrefix("Sources/") || $0.folder == "Tests/Support") && !$0.isGenerated
    }

    @Test func everyFileIsNamedAfterItsType() {
        var needed: Set<String> = []
        for source in Self.sources {
            let declared = Self.declared(in: source)
            let names = source.name.contains("+") ? declared.extended : declared.types
            if names.contains(source.head) { continue }
            needed.insert(source.path)
            #expect(
                Self.unnamed[source.path] != nil,
                "\(source.path) has no \(source.head): name it after \(declared.types.union(declared.extended).sorted())"
            )
        }
        #expect(needed == Set(Self.unnamed.keys), "an exception is not needed any more")
    }

    @Test func everyFileHasOnePrincipalType() {
        var needed: [String: Set<String>] = [:]
        for source in Self.sources where Self.unnamed[source.path] == nil {
            var others = Self.declared(in: source).types
            if !source.name.contains("+") { others.remove(source.head) }
            if others.isEmpty { continue }
            needed[source.path] = others
            let surplus = others.subtracting(Self.companions[source.path] ?? [])
            #expect(surplus.isEmpty, "\(source.path): give \(surplus.sorted()) files of their own")
        }
        for (path, companions) in Self.companions {
            let left = companions.subtracting(needed[path] ?? [])
            #expect(left.isEmpty, "\(path): the exception for \(left.sorted()) is not needed any more")
        }
    }
}
