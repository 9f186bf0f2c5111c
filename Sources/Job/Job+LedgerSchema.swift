public import Sharding

extension Job {
    /// The schema of a ledger out of the text of an option or of a variable: a name as SQL writes it, as in a job file.
    ///
    /// - Parameter text: such as `ops`, or `"Ops"` in its quotes where capitals are meant.
    /// - Throws: an item without a place, which says why it is none.
    public static func ledgerSchema(_ text: String) throws(JobError.Item) -> LedgerSchema {
        do throws(Complaint) {
            return try ledgerSchema(try Identifier.parts(of: text))
        } catch {
            throw JobError.Item(message: error.message, mend: error.mend)
        }
    }

    static func ledgerSchema(_ parts: [String]) throws(Complaint) -> LedgerSchema {
        guard parts.count == 1 else {
            throw Complaint(
                "a schema's name has one part, not \(parts.count)",
                mend: "Write the schema alone; a dot inside a name needs double quotes, '\"a.b\"'.")
        }
        if let fault = LedgerSchema.fault(in: parts[0]) {
            throw Complaint("the schema's name \(parts[0].shown) \(fault)", mend: "Another name, such as ops.")
        }
        return LedgerSchema(parts[0]) ?? .standard
    }
}
