import Postgres
import Sharding

extension CoordinatorLedger {
    /// How long the measurement waits for a lock on the table: all other tasks of the coordinator wait behind it.
    private static let storageLockTimeout = "50ms"

    /// Measures the table of a run, and notes the figures beside those of the run's beginning.
    ///
    /// Nothing hangs on the figures, so an error only means that there are none.
    /// - Throws: `PostgresError` of a lost connection.
    package func measureStorage(_ ownership: Ownership, tableOID: UInt32) throws -> StorageReading {
        do {
            let measure = try session.transaction {
                try session.connection.execute(script: "SET LOCAL lock_timeout = '\(Self.storageLockTimeout)'")
                return try readAndNote(ownership, tableOID: tableOID)
            }
            return measure.map { .measured($0) } ?? .nothing
        } catch let error as PostgresError where error.recovery == .reconnect {
            throw error
        } catch {
            return .failed("\(error)")
        }
    }

    private func readAndNote(_ ownership: Ownership, tableOID: UInt32) throws -> StorageMeasure? {
        guard let found = try session.first(MeasureStorage(ownership: ownership, tableOID: tableOID)) ?? nil else {
            return nil
        }
        let change =
            found.before?.measured(found.now, isSameTerm: found.term == ownership.term)
            ?? StorageChange(begin: found.now, last: found.now)
        guard try session.run(NoteStorage(ownership: ownership, change: change)) == 1 else { return nil }
        return StorageMeasure(change: change, holder: found.holder)
    }

    struct MeasureStorage: LedgerQuery {
        static let name = "coord_measure_storage"

        struct Found {
            /// Nil before the first measurement.
            var before: StorageChange?
            /// The coordinator's term at the last measurement; nil if it is not known.
            var term: Int64?
            var now: StorageFigures
            var holder: String?
        }

        static func sql(_ ledger: String) -> String {
            """
            SELECT \(StorageColumns.list(of: "r.storage")), (r.storage ->> 'term')::bigint AS term,
                \(StorageColumns.Moment.list("now", of: "m.figures")),
                (\(HorizonHolders.query(from: "\(oldTransaction)", limit: "1"))) AS holder
            FROM \(ledger).run AS r, (\(StorageColumns.measured(ledger))) AS m
            WHERE r.id = $1::bigint AND r.term = $3::bigint
            """
        }

        /// Age of a session's transaction from which on it can be the holder, in seconds: no batch takes longer.
        private static let oldTransaction = 5

        var ownership: Ownership
        var tableOID: UInt32
        var subject: RunID? { ownership.run }

        var parameters: PostgresParameters {
            PostgresParameters([ownership.run.description, "\(tableOID)", "\(ownership.term)"])
        }

        /// Nil if the table went away between two looks of the statement.
        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Found? {
            let storage = try StorageColumns(columns)
            let term: LedgerColumn<Int64> = try columns("term")
            let now = try StorageColumns.Moment("now", columns)
            let holder: LedgerColumn<String> = try columns("holder")
            return { row in
                guard let figures = try now.figures(row) else { return nil }
                return Found(
                    before: try storage.change(row), term: try row.optional(term), now: figures,
                    holder: try row.optional(holder))
            }
        }
    }

    struct NoteStorage: LedgerStatement {
        static let name = "coord_note_storage"

        static func sql(_ ledger: String) -> String {
            "UPDATE \(ledger).run SET storage = $3::jsonb WHERE id = $1::bigint AND term = $2::bigint"
        }

        var ownership: Ownership
        var change: StorageChange
        var subject: RunID? { ownership.run }

        var parameters: PostgresParameters {
            PostgresParameters([
                ownership.run.description, "\(ownership.term)",
                StorageColumns.document(change, term: ownership.term),
            ])
        }
    }
}
