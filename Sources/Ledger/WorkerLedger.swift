import Postgres
import Sharding

/// The worker's role: it reads a run's assignment and opens leases. The statements of its batches change the ledger.
package struct WorkerLedger: LedgerRole {
    private let session: LedgerSession
    package init(_ session: LedgerSession) { self.session = session }

    /// A run's data for a worker.
    package struct Assignment: Sendable, Equatable {
        /// The binding of key and columns when the run's coordinator began, as JSON.
        package var binding: String
        /// The resolved job, as JSON.
        package var specification: String
        /// Whether this role may change a shard's row itself, with all that its triggers do.
        package var mayChangeTables: Bool
    }

    /// - Throws: `LedgerError` with code `unknownRun`; with `wrongState` if no coordinator of this version has taken
    ///   the run up; with `forbidden` if this role may not work in this ledger.
    package func assignment(of id: RunID) throws -> Assignment {
        let unchanged = "nothing of run \(id) is done here"
        let found = try session.asMember(of: .worker, unchanged) { try session.first(ReadAssignment(run: id)) }
        guard let found else { throw LedgerError.unknown(id) }
        guard found.mayWork else {
            throw session.forbidden(.worker, unchanged, because: "it may not call the ledger's functions for workers")
        }
        guard let assignment = found.assignment else {
            throw LedgerError(
                .wrongState("unresolved"), "run \(id) has no specification: its coordinator is of an older version",
                mend: "run one version on all hosts, then: coord resume \(id)")
        }
        return assignment
    }

    /// Names this session, and tells whether a coordinator owns the run in this database: in a copy of the database,
    /// none does.
    package func enter(_ run: RunID, applicationName: String) throws -> Bool {
        try session.only(Enter(run: run, applicationName: applicationName))
    }

    /// A leased shard's position and range.
    package struct Opening: Sendable, Equatable {
        package var range: KeyRange
        package var position: Position
    }

    /// Notes this session in the shard's row and reads the shard's position. Nil if the shard has another lease by now.
    ///
    /// - Parameter keyColumns: the number of columns of the run's key.
    /// - Throws: `LedgerError` with code `damaged` when the row holds values that no batch writes.
    package func open(_ lease: Lease, owner: WorkerID, run: RunID, keyColumns: Int) throws -> Opening? {
        try session.first(Open(run: run, lease: lease, owner: owner, keyColumns: keyColumns))
    }
}
