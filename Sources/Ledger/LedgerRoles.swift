import Sharding

/// The group roles of one ledger: what each may do with it, as SQL.
///
/// They cannot log in: whoever administers the database grants them to roles that can. Their names begin with the
/// schema's, since roles belong to the whole server, and another database of it may have a ledger too.
package struct LedgerRoles: Sendable, Equatable {
    package enum Kind: String, CaseIterable, Sendable {
        /// Owns and leads runs.
        case coordinator
        /// Works on leased shards, by the ledger's functions alone.
        case worker
        /// Looks on.
        case viewer
    }

    private let schema: LedgerSchema

    /// - Returns: nil if the names would be longer than PostgreSQL's, and be cut.
    package init?(of schema: LedgerSchema) {
        self.schema = schema
        guard Kind.allCases.allSatisfy({ plain($0).utf8.count <= LedgerSchema.maximumBytes }) else { return nil }
    }

    /// The role's name as in the catalogue.
    package func plain(_ kind: Kind) -> String { "\(schema.name)_\(kind.rawValue)" }

    /// The role's name as SQL writes it.
    package func quoted(_ kind: Kind) -> String {
        // The names of ledgers and of these roles have the same limits.
        schema == .standard ? plain(kind) : LedgerSchema.quoted(plain(kind))
    }

    /// What a coordinator may find out about sessions of other roles, and do about a stuck one.
    private static let statistics = "pg_read_all_stats, pg_signal_backend"

    /// The grant of the server's own roles to the coordinator's.
    var statisticsGrant: String { "GRANT \(Self.statistics) TO \(quoted(.coordinator))" }

    /// The statements that make missing roles and give each exactly its rights in the ledger.
    func statements(missing: [Kind]) -> [String] {
        let ledger = schema.quoted
        let all = Kind.allCases.map(quoted).joined(separator: ", ")
        let (coordinator, worker, viewer) = (quoted(.coordinator), quoted(.worker), quoted(.viewer))
        let made = missing.map { kind in
            "CREATE ROLE \(quoted(kind)) NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
        }
        return made + [
            // What an earlier version has given must not stay.
            "REVOKE ALL ON ALL TABLES IN SCHEMA \(ledger) FROM \(all)",
            "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA \(ledger) FROM \(all)",
            "REVOKE ALL ON SCHEMA \(ledger) FROM \(all)",
            "GRANT USAGE ON SCHEMA \(ledger) TO \(all)",
            "GRANT SELECT ON ALL TABLES IN SCHEMA \(ledger) TO \(coordinator), \(viewer)",
            "GRANT INSERT, UPDATE ON \(ledger).run, \(ledger).shard, \(ledger).attempt, \(ledger).worker TO \(coordinator)",
            "GRANT INSERT ON \(ledger).event TO \(coordinator)",
            "GRANT SELECT (\(Self.readByWorkers)) ON \(ledger).run TO \(worker)",
            "GRANT EXECUTE ON FUNCTION \(Schema.workerFunctions(in: schema).joined(separator: ", ")) TO \(worker)",
        ]
    }

    /// The columns of a run that a worker reads: its job, and whether it has a coordinator.
    private static let readByWorkers =
        "id, binding, specification, coordinator, lease_until, backend_pid, backend_start"
}
