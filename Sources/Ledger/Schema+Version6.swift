extension Schema {
    /// The desire that a run be paused, the limits of its pace, and what a worker does and since when it works for a run.
    static func version6(_ ledger: String) -> String {
        """
        ALTER TABLE \(ledger).run DROP CONSTRAINT run_desired_check;
        ALTER TABLE \(ledger).run
            ADD CONSTRAINT run_desired_check CHECK (desired IN ('running', 'paused', 'cancelled')),
            ADD COLUMN desired_by text,
            ADD COLUMN pace_writers int CHECK (pace_writers > 0),
            ADD COLUMN pace_rows bigint CHECK (pace_rows > 0),
            ADD COLUMN pace_until timestamptz,
            ADD COLUMN pace_by text;
        COMMENT ON COLUMN \(ledger).run.desired_by IS 'Who asked that the run be paused: role and host.';
        COMMENT ON COLUMN \(ledger).run.pace_writers IS 'The most workers that may write at the same time.';
        COMMENT ON COLUMN \(ledger).run.pace_rows IS 'The most rows a second that all workers together may change.';
        COMMENT ON COLUMN \(ledger).run.pace_until IS 'When these limits end; null: they stay.';
        COMMENT ON COLUMN \(ledger).run.pace_by IS 'Who set these limits: role and host.';

        CREATE FUNCTION \(ledger).record_pace() RETURNS trigger LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $body$
        BEGIN
            INSERT INTO \(ledger).event (run_id, kind, detail) VALUES (NEW.id, 'asked_pace',
                pg_catalog.jsonb_build_object('by', session_user, 'from', NEW.pace_by, 'writers', NEW.pace_writers,
                    'rows_per_second', NEW.pace_rows, 'until', NEW.pace_until));
            RETURN NULL;
        END $body$;
        CREATE TRIGGER record_pace AFTER UPDATE OF pace_writers, pace_rows, pace_until ON \(ledger).run
            FOR EACH ROW WHEN (OLD.pace_writers IS DISTINCT FROM NEW.pace_writers
                OR OLD.pace_rows IS DISTINCT FROM NEW.pace_rows OR OLD.pace_until IS DISTINCT FROM NEW.pace_until)
            EXECUTE FUNCTION \(ledger).record_pace();

        ALTER TABLE \(ledger).worker
            ADD COLUMN activity text NOT NULL DEFAULT '',
            ADD COLUMN joined_at timestamptz;
        -- Of workers from before, nobody knows when they came.
        ALTER TABLE \(ledger).worker ALTER COLUMN joined_at SET DEFAULT now();
        COMMENT ON COLUMN \(ledger).worker.activity IS 'The step under way, or what the worker waits for.';
        """
    }
}
