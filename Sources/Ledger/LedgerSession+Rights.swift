import Postgres

// What this role may not do in the ledger.
extension LedgerSession {
    /// Runs `body`, which a role of the ledger may do.
    ///
    /// - Parameter unchanged: what has not come about where this role may not.
    /// - Throws: `LedgerError` with code `forbidden` where this role may not.
    func asMember<R>(of kind: LedgerRoles.Kind, _ unchanged: String, _ body: () throws -> R) throws -> R {
        do {
            return try body()
        } catch let error as PostgresError where error.recovery == .authorize {
            throw forbidden(kind, unchanged, because: "\(error)", error)
        }
    }

    func forbidden(
        _ kind: LedgerRoles.Kind, _ unchanged: String, because reason: String, _ cause: PostgresError? = nil
    ) -> LedgerError {
        let role = LedgerRoles(of: schema).map { "GRANT \($0.quoted(kind)) TO it   " } ?? ""
        return LedgerError(
            .forbidden, "\(unchanged): this role has not the rights of a \(kind.rawValue) in this ledger: \(reason)",
            mend:
                "give the command as a role that has them, or: \(role)(coord ledger install --roles makes such roles)",
            cause: cause)
    }
}
