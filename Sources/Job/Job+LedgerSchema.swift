public import Sharding

extension Job {
    /// Reads the ledger's schema from an option or an environment variable: a name as SQL writes it, as in a job file.
    ///
    /// - Parameter text: for example `ops`, or `"Ops"` with its quotes for a name with capitals.
    /// - Throws: an item without a place that says why the text is no schema's name.
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
