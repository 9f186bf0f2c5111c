import Coordinator
import Ledger
import Postgres

extension Plan: OpensLedger {}
extension Start: OpensLedger {}
extension Resume: OpensLedger {}
extension Status: OpensLedger {}
extension Cancel: OpensLedger {}
extension Shards: OpensLedger {}
extension LedgerCommand.Install: OpensLedger {}
extension LedgerCommand.Drop: OpensLedger {}
extension BatchStatement: OpensLedger {}

/// A command has waited for a lock for too long, with who is in the way.
struct LockedOut: Error, CustomStringConvertible {
    static let sqlState = "55P03"

    var cause: PostgresError
    var holders: [String]
    /// Why it is not known who held the lock.
    private var unasked: String?

    /// Asks for them by a connection of its own.
    init(_ cause: PostgresError, _ command: any OpensLedger) {
        self.cause = cause
        holders = []
        do {
            let conninfo = try command.common.explicit(nil) ?? Suggestion.jobDatabase ?? command.common.conninfo()
            holders = try TableLocks.lines(try PostgresConnection(.ledger(conninfo)))
        } catch {
            unasked = "\(error)"
        }
    }

    var description: String {
        let waited = "a lock was waited for, \(PostgresSession.lockTimeoutSeconds) s long, and not given: \(cause)"
        let nobody = unasked.map { "who holds it is not known: \($0)" } ?? "whoever held it has let it go by now"
        let who = holders.isEmpty ? [nobody] : holders.map(\.visible)
        return ([waited] + who + ["once it is free, give the same command again"]).joined(separator: "\n  ")
    }
}
