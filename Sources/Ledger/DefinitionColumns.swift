import Sharding

/// The columns of a run's definition. Columns of a later ledger version may be null in a run of an earlier version.
struct DefinitionColumns {
    /// The list for a statement about runs `r`.
    static let list = """
        r.name, r.definition, r.directory, r.fingerprint, r.table_name, r.search_path, r.table_oid, r.binding, r.end_key,
            ARRAY(SELECT u.item FROM pg_catalog.jsonb_each_text(r.settings) AS s
                CROSS JOIN LATERAL pg_catalog.unnest(ARRAY[s.key, s.value]) WITH ORDINALITY AS u(item, place)
                ORDER BY s.key, u.place) AS settings, r.batch_rows
        """

    private let name: LedgerColumn<String>
    private let text: LedgerColumn<String>
    private let directory: LedgerColumn<String>
    private let fingerprint: LedgerColumn<String>
    private let table: LedgerColumn<String>
    private let searchPath: LedgerColumn<String>
    private let tableOID: LedgerColumn<UInt32>
    private let binding: LedgerColumn<String>
    private let endKey: LedgerColumn<Key>
    private let settings: LedgerColumn<Settings>
    private let batchRows: LedgerColumn<Int>

    init(_ columns: LedgerColumns) throws(LedgerError) {
        name = try columns("name")
        text = try columns("definition")
        directory = try columns("directory")
        fingerprint = try columns("fingerprint")
        table = try columns("table_name")
        searchPath = try columns("search_path")
        tableOID = try columns("table_oid")
        binding = try columns("binding")
        endKey = try columns("end_key")
        settings = try columns("settings")
        batchRows = try columns("batch_rows")
    }

    func definition(_ row: LedgerRow) throws(LedgerError) -> RunDefinition {
        RunDefinition(
            name: try row[name], text: try row[text], directory: try row[directory],
            fingerprint: try row[fingerprint], table: try row[table], searchPath: try row[searchPath],
            tableOID: try row.optional(tableOID), binding: try row.optional(binding),
            endKey: try row.optional(endKey), settings: try row[settings].values,
            batchRows: try row.optional(batchRows))
    }

    /// Settings as an array: each name is followed by its value.
    private struct Settings: LedgerValue {
        static let kind = "settings, each with a text"
        var values: [String: String] = [:]

        init?(ledgerText text: String) {
            // A null item would shift all later values to other names.
            guard let items = [String](ledgerText: text), items.count.isMultiple(of: 2) else { return nil }
            for index in stride(from: 0, to: items.count, by: 2) { values[items[index]] = items[index + 1] }
        }
    }
}
