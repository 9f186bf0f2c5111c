/// The ledger's tables, as a list of migrations. A migration that has been released is never changed.
public enum Schema {
    /// Version that this build needs.
    public static var version: Int { migrations.count }

    /// Each entry brings the ledger from its index to the next version, in one transaction.
    static let migrations: [String] = [initial, leaseEvents, version3]

    /// Number of an advisory lock, held during a migration so that two first uses do not collide.
    static let migrationLock: Int64 = 0x636F_6F72_6400_0001

    private static let initial = """
        CREATE SCHEMA IF NOT EXISTS coord;
        COMMENT ON SCHEMA coord IS 'Ledger of coord: runs, shards, attempts, events.';

        CREATE TABLE coord.migration (
            version int PRIMARY KEY,
            applied_at timestamptz NOT NULL DEFAULT now()
        );

        CREATE TABLE coord.run (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text NOT NULL,
            definition text NOT NULL,
            directory text NOT NULL,
            fingerprint text NOT NULL,
            table_name text NOT NULL,
            search_path text NOT NULL DEFAULT current_setting('search_path'),
            rows_estimated bigint NOT NULL,
            state text NOT NULL DEFAULT 'planned' CHECK (state IN
                ('planned', 'running', 'complete', 'partial', 'failed', 'paused', 'cancelled')),
            desired text NOT NULL DEFAULT 'running' CHECK (desired IN ('running', 'cancelled')),
            term bigint NOT NULL DEFAULT 0,
            coordinator uuid,
            coordinator_host text,
            coordinator_pid int,
            backend_pid int,
            backend_start timestamptz,
            lease_until timestamptz,
            rows_per_second double precision NOT NULL DEFAULT 0,
            created_by name NOT NULL DEFAULT session_user,
            created_at timestamptz NOT NULL DEFAULT now(),
            started_at timestamptz,
            finished_at timestamptz
        ) WITH (fillfactor = 50);
        COMMENT ON COLUMN coord.run.term IS 'Grows with each coordinator that takes the run over.';
        CREATE INDEX run_name ON coord.run (name, id);
        -- Two coordinators that start one job at the same moment cannot both make a run of it.
        CREATE UNIQUE INDEX run_unfinished ON coord.run (name) WHERE state NOT IN ('complete', 'cancelled');

        CREATE TABLE coord.shard (
            run_id bigint NOT NULL REFERENCES coord.run ON DELETE CASCADE,
            id int NOT NULL,
            after_key text[],
            through_key text[],
            rows_estimated bigint NOT NULL,
            state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done', 'failed')),
            epoch bigint NOT NULL DEFAULT 0,
            owner uuid,
            backend_pid int,
            backend_start timestamptz,
            checkpoint text[],
            deferred text[] NOT NULL DEFAULT '{}',
            sequence bigint NOT NULL DEFAULT 0,
            lease_sequence bigint NOT NULL DEFAULT 0,
            rows_done bigint NOT NULL DEFAULT 0,
            failures int NOT NULL DEFAULT 0,
            error text,
            PRIMARY KEY (run_id, id)
        ) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
        COMMENT ON COLUMN coord.shard.checkpoint IS 'Last key whose batch has committed; moves in that transaction.';
        COMMENT ON COLUMN coord.shard.deferred IS
            'Keys up to the checkpoint that somebody changed between read and write: to be computed again.';

        CREATE TABLE coord.attempt (
            run_id bigint NOT NULL,
            shard_id int NOT NULL,
            epoch bigint NOT NULL,
            worker uuid NOT NULL,
            started_at timestamptz NOT NULL DEFAULT now(),
            ended_at timestamptz,
            outcome text CHECK (outcome IN
                ('done', 'failed', 'expired', 'stalled', 'released', 'superseded')),
            error text,
            PRIMARY KEY (run_id, shard_id, epoch),
            FOREIGN KEY (run_id, shard_id) REFERENCES coord.shard ON DELETE CASCADE
        );

        CREATE TABLE coord.event (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            run_id bigint NOT NULL REFERENCES coord.run ON DELETE CASCADE,
            shard_id int,
            epoch bigint,
            kind text NOT NULL,
            detail jsonb NOT NULL DEFAULT '{}'
        );
        CREATE INDEX event_run ON coord.event (run_id, id);

        CREATE TABLE coord.worker (
            run_id bigint NOT NULL REFERENCES coord.run ON DELETE CASCADE,
            id uuid NOT NULL,
            host text NOT NULL,
            pid int NOT NULL,
            shard_id int,
            rows_done bigint NOT NULL DEFAULT 0,
            rows_per_second double precision NOT NULL DEFAULT 0,
            rss_bytes bigint NOT NULL DEFAULT 0,
            peak_rss_bytes bigint NOT NULL DEFAULT 0,
            seen_at timestamptz NOT NULL DEFAULT now(),
            left_at timestamptz,
            PRIMARY KEY (run_id, id)
        ) WITH (fillfactor = 50);

        -- Triggers, so that no path can change a state without its event in the same transaction.
        CREATE FUNCTION coord.record_run() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                INSERT INTO coord.event (run_id, kind, detail) VALUES (NEW.id, 'run_' || NEW.state,
                    jsonb_build_object('by', session_user, 'rows_estimated', NEW.rows_estimated));
                RETURN NULL;
            END IF;
            IF OLD.state <> NEW.state THEN
                INSERT INTO coord.event (run_id, kind, detail) VALUES (NEW.id, 'run_' || NEW.state,
                    jsonb_build_object('by', session_user, 'from', OLD.state));
            END IF;
            IF OLD.desired <> NEW.desired THEN
                INSERT INTO coord.event (run_id, kind, detail) VALUES (NEW.id, 'asked_' || NEW.desired,
                    jsonb_build_object('by', session_user));
            END IF;
            IF OLD.term <> NEW.term THEN
                INSERT INTO coord.event (run_id, kind, detail) VALUES (NEW.id, 'coordinator_took_over',
                    jsonb_build_object('term', NEW.term, 'host', NEW.coordinator_host, 'pid', NEW.coordinator_pid));
            END IF;
            RETURN NULL;
        END $body$;
        CREATE TRIGGER record_run AFTER INSERT OR UPDATE OF state, desired, term ON coord.run
            FOR EACH ROW EXECUTE FUNCTION coord.record_run();

        CREATE FUNCTION coord.record_shard() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            IF OLD.epoch <> NEW.epoch AND NEW.owner IS NOT NULL THEN
                INSERT INTO coord.event (run_id, shard_id, epoch, kind, detail)
                VALUES (NEW.run_id, NEW.id, NEW.epoch, 'shard_leased', jsonb_build_object('owner', NEW.owner));
            END IF;
            IF OLD.state <> NEW.state AND NEW.state <> 'running' THEN
                INSERT INTO coord.event (run_id, shard_id, epoch, kind, detail)
                VALUES (NEW.run_id, NEW.id, NEW.epoch, 'shard_' || NEW.state, jsonb_strip_nulls(jsonb_build_object(
                    'rows_done', NEW.rows_done, 'failures', NEW.failures, 'error', NEW.error)));
            END IF;
            IF OLD.state <> NEW.state AND NEW.state = 'done' THEN
                UPDATE coord.attempt SET ended_at = clock_timestamp(), outcome = 'done'
                WHERE run_id = NEW.run_id AND shard_id = NEW.id AND epoch = NEW.epoch;
            END IF;
            RETURN NULL;
        END $body$;
        CREATE TRIGGER record_shard AFTER UPDATE ON coord.shard FOR EACH ROW
            WHEN (OLD.state IS DISTINCT FROM NEW.state OR OLD.epoch IS DISTINCT FROM NEW.epoch)
            EXECUTE FUNCTION coord.record_shard();
        """

    private static let leaseEvents = """
        -- How each lease ended: a shard that is pending again may have been given back, or its worker have fallen silent.
        CREATE FUNCTION coord.record_lease_end() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            INSERT INTO coord.event (run_id, shard_id, epoch, kind, detail)
            VALUES (NEW.run_id, NEW.shard_id, NEW.epoch, 'lease_' || NEW.outcome, jsonb_strip_nulls(jsonb_build_object(
                'worker', NEW.worker, 'error', NEW.error)));
            RETURN NULL;
        END $body$;
        CREATE TRIGGER record_lease_end AFTER UPDATE ON coord.attempt FOR EACH ROW
            WHEN (OLD.outcome IS NULL AND NEW.outcome IS NOT NULL)
            EXECUTE FUNCTION coord.record_lease_end();
        """
}
