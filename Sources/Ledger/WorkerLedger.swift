import Postgres
import Sharding

/// What a worker asks of the ledger: what the run is about, and to enter a lease. Its batches do the rest.
package struct WorkerLedger: LedgerRole {
    private let session: LedgerSession
    package init(_ session: LedgerSession) { self.session = session }

    /// What a worker needs of a run.
    package struct Assignment: Sendable, Equatable {
        /// What key and columns were when the run's coordinator began, as JSON.
        package var binding: String
        /// The resolved job, as JSON.
        package var specification: String
    }

    /// - Throws: `LedgerError` with code `unknownRun`; with `wrongState` where no coordinator of this version has taken the run up.
    package func assignment(of id: RunID) throws -> Assignment {
        guard let found = try session.first(ReadAssignment(run: id)) else { throw LedgerError.unknown(id) }
        guard let assignment = found else {
            throw LedgerError(
                .wrongState("unresolved"), "run \(id) has no specification: its coordinator is of an older version",
                mend: "run one version on all hosts, then: coord resume \(id)")
        }
        return assignment
    }

    /// Names this session, and looks whether a coordinator owns the run here: on a copy of the database, none does.
    package func enter(_ run: RunID, applicationName: String) throws -> Bool {
        try session.only(Enter(run: run, applicationName: applicationName))
    }

    /// Where a leased shard stands, and its range.
    package struct Opening: Sendable, Equatable {
        package var range: KeyRange
        package var position: Position
    }

    /// Enters this session in the shard's row and reads its position. Nil where the lease is not the shard's any more.
    ///
    /// - Parameter keyColumns: of how many columns the run's keys are.
    /// - Throws: `LedgerError` with code `damaged` where the row holds what no batch has written.
    package func open(_ lease: Lease, owner: WorkerID, run: RunID, keyColumns: Int) throws -> Opening? {
        try session.first(Open(run: run, lease: lease, owner: owner, keyColumns: keyColumns))
    }
}
