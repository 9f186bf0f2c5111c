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
                return try session.first(MeasureStorage(ownership: ownership, tableOID: tableOID)) ?? nil
            }
            return measure.map { .measured($0) } ?? .nothing
        } catch let error as PostgresError where error.recovery == .reconnect {
            throw error
        } catch {
            return .failed("\(error)")
        }
    }

    struct MeasureStorage: LedgerQuery {
        static let name = "coord_measure_storage"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run AS r
            SET storage = jsonb_build_object('begin', COALESCE(r.storage -> 'begin', m.figures), 'last', m.figures)
            FROM (\(StorageColumns.measured(ledger))) AS m
            WHERE r.id = $1::bigint AND r.term = $3::bigint
            RETURNING \(StorageColumns.list(of: "r.storage")), 
                (\(HorizonHolders.query(from: "\(oldTransaction)", limit: "1"))) AS holder
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

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> StorageMeasure? {
            let storage = try StorageColumns(columns)
            let holder: LedgerColumn<String> = try columns("holder")
            return { row in
                guard let change = try storage.change(row) else { return nil }
                return StorageMeasure(change: change, holder: try row.optional(holder))
            }
        }
    }
}
