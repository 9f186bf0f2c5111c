extension Schema {
    /// The specification of a run, resolved once for all workers.
    static func version4(_ ledger: String) -> String {
        """
        ALTER TABLE \(ledger).run ADD COLUMN specification jsonb;
        COMMENT ON COLUMN \(ledger).run.specification IS
            'The job with every name resolved, as the newest coordinator made it; null: none has since version 4.';
        """
    }
}
