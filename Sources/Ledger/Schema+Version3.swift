extension Schema {
    /// A run's binding and settings, and triggers that record events for every role and under every search path.
    static func version3(_ ledger: String) -> String {
        """
        ALTER TABLE \(ledger).run
            ADD COLUMN table_oid oid,
            ADD COLUMN binding jsonb,
            ADD COLUMN end_key text[],
            ADD COLUMN settings jsonb NOT NULL DEFAULT '{}',
            ADD COLUMN batch_rows int CHECK (batch_rows > 0),
            ADD COLUMN rows_above bigint,
            ADD COLUMN error text,
            ADD COLUMN shards int;
        COMMENT ON COLUMN \(ledger).run.binding IS 'What the key and the columns of the job were when the run was made.';
        COMMENT ON COLUMN \(ledger).run.end_key IS 'The highest key when the run was made; null: the last shard is open.';
        COMMENT ON COLUMN \(ledger).run.settings IS 'Settings of a session under which the expressions of the job mean the same.';
        COMMENT ON COLUMN \(ledger).run.batch_rows IS 'Rows that a batch may have after timeouts made it smaller.';
        COMMENT ON COLUMN \(ledger).run.rows_above IS 'Rows with a key above end_key when the run ended.';
        COMMENT ON COLUMN \(ledger).run.error IS 'Why the run stopped, as last told.';
        COMMENT ON COLUMN \(ledger).run.shards IS 'How many shards were planned.';
        UPDATE \(ledger).run AS r SET shards = (SELECT count(*) FROM \(ledger).shard AS s WHERE s.run_id = r.id);

        ALTER TABLE \(ledger).shard ADD COLUMN rows_unchanged bigint NOT NULL DEFAULT 0;

        ALTER TABLE \(ledger).attempt DROP CONSTRAINT attempt_outcome_check;
        ALTER TABLE \(ledger).attempt ADD CONSTRAINT attempt_outcome_check CHECK (outcome IN
            ('done', 'failed', 'expired', 'stalled', 'released', 'superseded', 'unfit'));

        -- Triggers run with the rights and the search path of whoever writes: every name is pinned, so that nobody's
        -- function of the same name is called.
        CREATE OR REPLACE FUNCTION \(ledger).record_run() RETURNS trigger LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $body$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                INSERT INTO \(ledger).event (run_id, kind, detail) VALUES (NEW.id, 'run_' || NEW.state,
                    pg_catalog.jsonb_build_object('by', session_user, 'rows_estimated', NEW.rows_estimated));
                RETURN NULL;
            END IF;
            IF OLD.state <> NEW.state THEN
                INSERT INTO \(ledger).event (run_id, kind, detail) VALUES (NEW.id, 'run_' || NEW.state,
                    pg_catalog.jsonb_build_object('by', session_user, 'from', OLD.state));
            END IF;
            IF OLD.desired <> NEW.desired THEN
                INSERT INTO \(ledger).event (run_id, kind, detail) VALUES (NEW.id, 'asked_' || NEW.desired,
                    pg_catalog.jsonb_build_object('by', session_user));
            END IF;
            -- A term that grows without a coordinator ends one's ownership: a cancel does so.
            IF OLD.term <> NEW.term AND NEW.coordinator IS NOT NULL THEN
                INSERT INTO \(ledger).event (run_id, kind, detail) VALUES (NEW.id, 'coordinator_took_over',
                    pg_catalog.jsonb_build_object(
                        'term', NEW.term, 'host', NEW.coordinator_host, 'pid', NEW.coordinator_pid));
            END IF;
            RETURN NULL;
        END $body$;
        CREATE OR REPLACE FUNCTION \(ledger).record_shard() RETURNS trigger LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $body$
        BEGIN
            IF OLD.epoch <> NEW.epoch AND NEW.owner IS NOT NULL THEN
                INSERT INTO \(ledger).event (run_id, shard_id, epoch, kind, detail)
                VALUES (NEW.run_id, NEW.id, NEW.epoch, 'shard_leased',
                    pg_catalog.jsonb_build_object('owner', NEW.owner));
            END IF;
            IF OLD.state <> NEW.state AND NEW.state <> 'running' THEN
                INSERT INTO \(ledger).event (run_id, shard_id, epoch, kind, detail)
                VALUES (NEW.run_id, NEW.id, NEW.epoch, 'shard_' || NEW.state,
                    pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
                        'rows_done', NEW.rows_done, 'failures', NEW.failures, 'error', NEW.error)));
            END IF;
            IF OLD.state <> NEW.state AND NEW.state = 'done' THEN
                UPDATE \(ledger).attempt SET ended_at = pg_catalog.clock_timestamp(), outcome = 'done'
                WHERE run_id = NEW.run_id AND shard_id = NEW.id AND epoch = NEW.epoch;
            END IF;
            RETURN NULL;
        END $body$;
        CREATE OR REPLACE FUNCTION \(ledger).record_lease_end() RETURNS trigger LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp AS $body$
        BEGIN
            INSERT INTO \(ledger).event (run_id, shard_id, epoch, kind, detail)
            VALUES (NEW.run_id, NEW.shard_id, NEW.epoch, 'lease_' || NEW.outcome,
                pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
                    'worker', NEW.worker, 'error', NEW.error)));
            RETURN NULL;
        END $body$;

        -- Also for a role that has session_replication_role = replica.
        ALTER TABLE \(ledger).run ENABLE ALWAYS TRIGGER record_run;
        ALTER TABLE \(ledger).shard ENABLE ALWAYS TRIGGER record_shard;
        ALTER TABLE \(ledger).attempt ENABLE ALWAYS TRIGGER record_lease_end;
        """
    }
}
