import Sharding

/// The ledger's tables as a list of migrations. A released migration is never changed.
public enum Schema {
    /// The version that this build needs.
    public static let version = migrations(in: .standard).count

    /// Each entry brings the ledger from its index to the next version, in one transaction.
    static func migrations(in schema: LedgerSchema) -> [String] {
        [initial, leaseEvents, version3, version4, version5, version6, version7].map { $0(schema.quoted) }
    }

    /// The number of the advisory lock that a migration holds, so that two first uses do not collide.
    static func migrationLock(of schema: LedgerSchema) -> Int64 {
        let standard: Int64 = 0x636F_6F72_6400_0001
        if schema == .standard { return standard }
        // FNV-1a. If two names get the same number, one install merely waits for the other.
        let hash = schema.name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return Int64(bitPattern: hash)
    }

    private static func initial(_ ledger: String) -> String {
        """
        CREATE SCHEMA IF NOT EXISTS \(ledger);
        COMMENT ON SCHEMA \(ledger) IS 'Ledger of coord: runs, shards, attempts, events.';

        CREATE TABLE \(ledger).migration (
            version int PRIMARY KEY,
            applied_at timestamptz NOT NULL DEFAULT now()
        );

        CREATE TABLE \(ledger).run (
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
        COMMENT ON COLUMN \(ledger).run.term IS 'Grows with each coordinator that takes the run over.';
        CREATE INDEX run_name ON \(ledger).run (name, id);
        -- Two coordinators that start one job at the same moment cannot both make a run of it.
        CREATE UNIQUE INDEX run_unfinished ON \(ledger).run (name) WHERE state NOT IN ('complete', 'cancelled');

        CREATE TABLE \(ledger).shard (
            run_id bigint NOT NULL REFERENCES \(ledger).run ON DELETE CASCADE,
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
        COMMENT ON COLUMN \(ledger).shard.checkpoint IS 'Last key whose batch has committed; moves in that transaction.';
        COMMENT ON COLUMN \(ledger).shard.deferred IS
            'Keys up to the checkpoint that somebody changed between read and write: to be computed again.';

        CREATE TABLE \(ledger).attempt (
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
            FOREIGN KEY (run_id, shard_id) REFERENCES \(ledger).shard ON DELETE CASCADE
        );

        CREATE TABLE \(ledger).event (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            run_id bigint NOT NULL REFERENCES \(ledger).run ON DELETE CASCADE,
            shard_id int,
            epoch bigint,
            kind text NOT NULL,
            detail jsonb NOT NULL DEFAULT '{}'
        );
        CREATE INDEX event_run ON \(ledger).event (run_id, id);

        CREATE TABLE \(ledger).worker (
            run_id bigint NOT NULL REFERENCES \(ledger).run ON DELETE CASCADE,
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
        CREATE FUNCTION \(ledger).record_run() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                INSERT INTO \(ledger).event (run_id, kind, detail) VALUES (NEW.id, 'run_' || NEW.state,
                    jsonb_build_object('by', session_user, 'rows_estimated', NEW.rows_estimated));
                RETURN NULL;
            END IF;
            IF OLD.state <> NEW.state THEN
                INSERT INTO \(ledger).event (run_id, kind, detail) VALUES (NEW.id, 'run_' || NEW.state,
                    jsonb_build_object('by', session_user, 'from', OLD.state));
            END IF;
            IF OLD.desired <> NEW.desired THEN
                INSERT INTO \(ledger).event (run_id, kind, detail) VALUES (NEW.id, 'asked_' || NEW.desired,
                    jsonb_build_object('by', session_user));
            END IF;
            IF OLD.term <> NEW.term THEN
                INSERT INTO \(ledger).event (run_id, kind, detail) VALUES (NEW.id, 'coordinator_took_over',
                    jsonb_build_object('term', NEW.term, 'host', NEW.coordinator_host, 'pid', NEW.coordinator_pid));
            END IF;
            RETURN NULL;
        END $body$;
        CREATE TRIGGER record_run AFTER INSERT OR UPDATE OF state, desired, term ON \(ledger).run
            FOR EACH ROW EXECUTE FUNCTION \(ledger).record_run();

        CREATE FUNCTION \(ledger).record_shard() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            IF OLD.epoch <> NEW.epoch AND NEW.owner IS NOT NULL THEN
                INSERT INTO \(ledger).event (run_id, shard_id, epoch, kind, detail)
                VALUES (NEW.run_id, NEW.id, NEW.epoch, 'shard_leased', jsonb_build_object('owner', NEW.owner));
            END IF;
            IF OLD.state <> NEW.state AND NEW.state <> 'running' THEN
                INSERT INTO \(ledger).event (run_id, shard_id, epoch, kind, detail)
                VALUES (NEW.run_id, NEW.id, NEW.epoch, 'shard_' || NEW.state, jsonb_strip_nulls(jsonb_build_object(
                    'rows_done', NEW.rows_done, 'failures', NEW.failures, 'error', NEW.error)));
            END IF;
            IF OLD.state <> NEW.state AND NEW.state = 'done' THEN
                UPDATE \(ledger).attempt SET ended_at = clock_timestamp(), outcome = 'done'
                WHERE run_id = NEW.run_id AND shard_id = NEW.id AND epoch = NEW.epoch;
            END IF;
            RETURN NULL;
        END $body$;
        CREATE TRIGGER record_shard AFTER UPDATE ON \(ledger).shard FOR EACH ROW
            WHEN (OLD.state IS DISTINCT FROM NEW.state OR OLD.epoch IS DISTINCT FROM NEW.epoch)
            EXECUTE FUNCTION \(ledger).record_shard();
        """
    }

    private static func leaseEvents(_ ledger: String) -> String {
        """
        -- How each lease ended: a shard that is pending again may have been given back, or its worker have fallen silent.
        CREATE FUNCTION \(ledger).record_lease_end() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            INSERT INTO \(ledger).event (run_id, shard_id, epoch, kind, detail)
            VALUES (NEW.run_id, NEW.shard_id, NEW.epoch, 'lease_' || NEW.outcome, jsonb_strip_nulls(jsonb_build_object(
                'worker', NEW.worker, 'error', NEW.error)));
            RETURN NULL;
        END $body$;
        CREATE TRIGGER record_lease_end AFTER UPDATE ON \(ledger).attempt FOR EACH ROW
            WHEN (OLD.outcome IS NULL AND NEW.outcome IS NOT NULL)
            EXECUTE FUNCTION \(ledger).record_lease_end();
        """
    }
}
