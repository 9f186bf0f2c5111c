public import Postgres
import Sharding

/// The place of a session: its database, its cluster, and the cluster's progress in the WAL.
///
/// Every session proves its place before its first write. A name or an address may lead to another server after a
/// reconnect, such as to a copy that was restored from a backup: it has the same tables, and the same ledger.
public struct DatabasePlace: Sendable, Equatable {
    public var systemIdentifier: String
    public var database: String
    /// Grows with each promotion.
    var timeline: UInt32
    /// Bytes of WAL on the server's disk. The number never goes back on one timeline, not even in a crash.
    var flushed: Int64
    var isStandby: Bool
    /// Whether this session's transactions are read-only by default.
    public var isReadOnly: Bool

    public init(
        systemIdentifier: String, database: String, timeline: UInt32 = 0, flushed: Int64 = 0, isStandby: Bool = false,
        isReadOnly: Bool = false
    ) {
        self.systemIdentifier = systemIdentifier
        self.database = database
        self.timeline = timeline
        self.flushed = flushed
        self.isStandby = isStandby
        self.isReadOnly = isReadOnly
    }

    /// - Throws: `PostgresError`, or `LedgerError` with code `damaged` when the server does not tell its place.
    public static func read(_ connection: PostgresConnection) throws -> DatabasePlace {
        try connection.only(Query(), in: "")
    }

    private struct Query: LedgerQuery {
        static let name = "coord_place"
        static let isPrepared = true

        static func sql(_: String) -> String {
            """
            SELECT s.system_identifier, pg_catalog.current_database() AS database, r.standby AS is_standby,
                CASE WHEN NOT r.standby THEN pg_catalog.substr(
                    pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_flush_lsn()), 1, 8) END AS timeline,
                CASE WHEN NOT r.standby THEN (pg_catalog.pg_current_wal_flush_lsn()
                    OPERATOR(pg_catalog.-) '0/0'::pg_catalog.pg_lsn)::pg_catalog.int8 END AS flushed,
                pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on'::pg_catalog.text AS is_read_only
            FROM pg_catalog.pg_control_system() AS s, (SELECT pg_catalog.pg_is_in_recovery() AS standby) AS r
            """
        }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> DatabasePlace {
            let systemIdentifier: LedgerColumn<String> = try columns("system_identifier")
            let database: LedgerColumn<String> = try columns("database")
            let isStandby: LedgerColumn<Bool> = try columns("is_standby")
            let timeline: LedgerColumn<Timeline> = try columns("timeline")
            let flushed: LedgerColumn<Int64> = try columns("flushed")
            let isReadOnly: LedgerColumn<Bool> = try columns("is_read_only")
            return { row in
                var place = DatabasePlace(
                    systemIdentifier: try row[systemIdentifier], database: try row[database],
                    isStandby: try row[isStandby], isReadOnly: try row[isReadOnly])
                // A standby has no timeline and no WAL of its own.
                if !place.isStandby {
                    place.timeline = try row[timeline].number
                    place.flushed = try row[flushed]
                }
                return place
            }
        }
    }

    /// A timeline's number as in the name of a WAL file.
    private struct Timeline: LedgerValue {
        static let kind = "the number of a timeline"
        var number: UInt32

        init?(ledgerText text: String) {
            guard let number = UInt32(text, radix: 16) else { return nil }
            self.number = number
        }
    }

    /// The reason why a session at this place must not write for a run at `expected`; nil when it may.
    ///
    /// - Parameter expected: the last known place of the run.
    public func fault(expected: DatabasePlace) -> String? {
        guard systemIdentifier == expected.systemIdentifier, database.isExactly(expected.database) else {
            return
                "the connection goes to another database than the run's: \(database) of cluster \(systemIdentifier) instead of "
                + "\(expected.database) of cluster \(expected.systemIdentifier)"
        }
        if isStandby { return "the connection goes to a standby, where nothing can be written" }
        if timeline < expected.timeline || (timeline == expected.timeline && flushed < expected.flushed) {
            return
                "the connection goes to an older copy of the run's database: its WAL ends before what was seen already"
        }
        return nil
    }
}
