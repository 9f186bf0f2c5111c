import Testing

/// A cursor is a value that other modules only hand on. Only the module `Batches` makes cursors and looks into them.
@Suite struct CursorTests {
    /// The other files that may look into cursors, and the reason.
    private static let others: [String: String] = [
        "Sources/Sharding/Cursor.swift": "it is declared there",
        "Sources/Ledger/ShardColumns.swift": "the ledger's columns become one",
        "Sources/CoordCLI/Shards.swift": "people are shown the checkpoint",
    ]

    @Test func onlyBatchesMakesCursorsAndLooksIntoThem() {
        var met: Set<String> = []
        for source in Checkout.sources where source.folder.hasPrefix("Sources/") && source.folder != "Sources/Batches" {
            let lines = source.lines.filter { line in
                ["Cursor(", "Cursor.Stretch", "cursor.checkpoint", "cursor.stretch"].contains { line.contains($0) }
            }
            if lines.isEmpty { continue }
            met.insert(source.path)
            #expect(Self.others[source.path] != nil, "\(source.path) looks into a cursor: \(lines)")
        }
        #expect(met == Set(Self.others.keys), "an exception is not needed any more")
    }
}
