public import Postgres
import Sharding

/// Where a session is: which database of which cluster, and how far that one has come.
///
/// Every session proves it before its first write. A name or an address may lead to another server after a reconnect, such as to
/// a copy that was restored from a backup: it has the same tables, and the same ledger.
public struct DatabasePlace: Sendable, Equatable {
    public var systemIdentifier: String
    public var database: String
    /// Grows with each promotion.
    var timeline: UInt32
    /// Bytes of WAL that are on the server's disk. It never goes back on one timeline, also not by a crash.
    var flushed: Int64
    var isStandby: Bool
    /// Transactions of this session are read-only unless they say otherwise.
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

    /// - Throws: `PostgresError`, or `LedgerError` with code `damaged` where the server does not say where it is.
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
                // A standby has neither of its own.
                if !place.isStandby {
                    place.timeline = try row[timeline].number
                    place.flushed = try row[flushed]
                }
                return place
            }
        }
    }

    /// As the name of a WAL file has it.
    private struct Timeline: LedgerValue {
        static let kind = "the number of a timeline"
        var number: UInt32

        init?(ledgerText text: String) {
            guard let number = UInt32(text, radix: 16) else { return nil }
            self.number = number
        }
    }

    /// Why a session that is here must not write for a run that is at `expected`, or nil when it may.
    ///
    /// - Parameter expected: where the run was last seen to be.
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
