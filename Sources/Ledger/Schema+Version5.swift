extension Schema {
    /// Cursors of shards that are done stripe by stripe, and the sizes of a table's files before and after a run.
    static func version5(_ ledger: String) -> String {
        """
        ALTER TABLE \(ledger).shard
            ADD COLUMN stretch_end text[],
            ADD COLUMN stripe int CHECK (stripe >= 0),
            ADD COLUMN stripe_key text[],
            ADD CONSTRAINT shard_stretch_check CHECK ((stretch_end IS NULL) = (stripe IS NULL)
                AND (stripe_key IS NULL OR stripe IS NOT NULL));
        COMMENT ON COLUMN \(ledger).shard.stretch_end IS
            'Last key of the stretch behind the checkpoint that is done stripe by stripe; null: none is under way.';
        COMMENT ON COLUMN \(ledger).shard.stripe IS 'The stripe of the stretch that is under way; those before it are done.';
        COMMENT ON COLUMN \(ledger).shard.stripe_key IS 'Last key of the stripe that is done; null before the first.';

        ALTER TABLE \(ledger).run ADD COLUMN storage jsonb;
        COMMENT ON COLUMN \(ledger).run.storage IS
            'Sizes of the table and its indexes, its counters of updates and the WAL, when the run began and as last seen.';
        """
    }
}
