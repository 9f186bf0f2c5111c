public import Postgres
public import Sharding

/// An error of the ledger, with its meaning for the caller.
public struct LedgerError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// There is no ledger in this database yet.
        case notInstalled
        /// The ledger was made by a newer coord.
        case newer(version: Int)
        /// The ledger's schema holds other objects than a ledger.
        case foreign
        /// The role may not use or make the ledger.
        case forbidden
        case unknownRun
        /// Another coordinator owns the run.
        case owned(by: String)
        /// The run's state does not allow the operation.
        case wrongState(String)
        /// Somebody asked that the run be paused.
        case paused(by: String)
        /// Sessions hold locks on the run's rows for longer than the lock timeout.
        case locked(by: [LockHolder])
        /// The ledger contradicts itself or an earlier reading: somebody has edited it.
        case damaged
    }

    public var code: Code
    public var message: String
    /// The command to go on with.
    public var mend: String?
    public var cause: PostgresError?

    public init(_ code: Code, _ message: String, mend: String? = nil, cause: PostgresError? = nil) {
        self.code = code
        self.message = message
        self.mend = mend
        self.cause = cause
    }

    public var description: String {
        [message, mend].compactMap { $0 }.joined(separator: "\n  ")
    }

    /// - Parameters:
    ///   - run: nil if the run is not known, or the fault is about no run.
    ///   - found: the expectation, the finding, and the possible consequence.
    static func damaged(_ run: RunID?, _ found: String) -> LedgerError {
        guard let run else {
            return LedgerError(
                .damaged, "what the server says of the ledger cannot be read: \(found)",
                mend: "put the ledger's tables back as they were, as from a backup")
        }
        return LedgerError(
            .damaged, "the ledger of run \(run) was changed by hand: \(found)",
            mend: """
                put the ledger's rows back as they were, as from a backup, then: coord resume \(run)
                  or give the run up: coord cancel \(run)   and start anew; what was changed stays, and is changed again
                """)
    }

    public static func epochWentBack(_ run: RunID, _ shard: ShardID, from highest: Epoch, to epoch: Epoch)
        -> LedgerError
    {
        damaged(
            run,
            "shard \(shard) had epoch \(highest), and now has \(epoch): a worker whose lease was taken back could write "
                + "under it again")
    }

    static func unknown(_ run: RunID) -> LedgerError {
        LedgerError(.unknownRun, "there is no run \(run) in this database", mend: "coord status")
    }

    /// - Parameter who: who asked for it.
    package static func paused(_ run: RunID, by who: String) -> LedgerError {
        LedgerError(
            .paused(by: who), "run \(run) is paused, as \(who) asked: nothing was started",
            mend: "coord resume \(run)   goes on")
    }

    /// The run's row has disappeared.
    static func gone(_ run: RunID) -> LedgerError {
        LedgerError(
            .damaged,
            "run \(run) is not in the ledger any more: its row was deleted while it was at work. No batch commits any "
                + "more; what was changed stays, and nothing tells how far the run was",
            mend: "coord start JOB   begins anew, at the first row")
    }
}
