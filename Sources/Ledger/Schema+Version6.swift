extension Schema {
    /// What a worker does, and since when it works for a run.
    static func version6(_ ledger: String) -> String {
        """
        ALTER TABLE \(ledger).worker
            ADD COLUMN activity text NOT NULL DEFAULT '',
            ADD COLUMN joined_at timestamptz;
        -- Of workers from before, nobody knows when they came.
        ALTER TABLE \(ledger).worker ALTER COLUMN joined_at SET DEFAULT now();
        COMMENT ON COLUMN \(ledger).worker.activity IS 'The step under way, or what the worker waits for.';
        """
    }
}
