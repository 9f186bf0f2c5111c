extension Schema {
    /// The desire that a run be paused, and what a worker does and since when it works for a run.
    static func version6(_ ledger: String) -> String {
        """
        ALTER TABLE \(ledger).run DROP CONSTRAINT run_desired_check;
        ALTER TABLE \(ledger).run
            ADD CONSTRAINT run_desired_check CHECK (desired IN ('running', 'paused', 'cancelled')),
            ADD COLUMN desired_by text;
        COMMENT ON COLUMN \(ledger).run.desired_by IS 'Who asked that the run be paused: role and host.';

        ALTER TABLE \(ledger).worker
            ADD COLUMN activity text NOT NULL DEFAULT '',
            ADD COLUMN joined_at timestamptz;
        -- Of workers from before, nobody knows when they came.
        ALTER TABLE \(ledger).worker ALTER COLUMN joined_at SET DEFAULT now();
        COMMENT ON COLUMN \(ledger).worker.activity IS 'The step under way, or what the worker waits for.';
        """
    }
}
