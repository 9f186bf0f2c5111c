import Sharding

extension Schema {
    /// The functions that a worker calls, with their parameters' types.
    static func workerFunctions(in schema: LedgerSchema) -> [String] { workerFunctions(in: schema.quoted) }

    static func workerFunctions(in ledger: String) -> [String] {
        [
            "open_lease(bigint, int, bigint, uuid, timestamptz)", "fence(bigint, int, bigint, uuid, bigint)",
            "advance(bigint, int, bigint, uuid, bigint, boolean, text[], text[], int, text[], bigint, bigint, text[], "
                + "boolean)",
        ].map { "\(ledger).\($0)" }
    }

    /// Functions by which a worker opens a lease, and proves it for each batch, without any right to change the ledger's
    /// tables.
    ///
    /// They run with the rights of the ledger's owner, under a path of their own, and only change the row of a shard for
    /// whoever knows the number and the owner of its lease. Each statement of theirs sees what is committed when it
    /// begins, so the proof is of the row's newest version.
    static func version7(_ ledger: String) -> String {
        let literal = "'\(ledger.replacing("'", with: "''")).shard'"
        let proof = "of_run bigint, of_shard int, in_epoch bigint, by_owner uuid"
        let isProven = """
            s.run_id = of_run AND s.id = of_shard AND s.epoch = in_epoch AND s.owner = by_owner AND s.state = 'running'
            """
        let functions = workerFunctions(in: ledger)
        let list = functions.joined(separator: ", ")
        let quotedList = list.replacing("'", with: "''")
        return """
            CREATE FUNCTION \(ledger).open_lease(\(proof), session_start timestamptz)
                RETURNS \(ledger).shard LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
            DECLARE
                opened \(ledger).shard;
            BEGIN
                -- Only the caller's own session: the coordinator may end the one that it finds here.
                UPDATE \(ledger).shard AS s SET backend_pid = pg_backend_pid(), backend_start = session_start
                WHERE \(isProven) RETURNING s.* INTO opened;
                RETURN opened;
            END $body$;
            COMMENT ON FUNCTION \(functions[0]) IS
                'Notes the session of a lease''s worker, and returns the shard; nulls if the lease is another''s.';

            CREATE FUNCTION \(ledger).fence(\(proof), after_sequence bigint)
                RETURNS \(ledger).shard LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
            DECLARE
                held \(ledger).shard;
            BEGIN
                SELECT s.* INTO held FROM \(ledger).shard AS s
                WHERE \(isProven) AND s.sequence = after_sequence FOR NO KEY UPDATE;
                RETURN held;
            END $body$;
            COMMENT ON FUNCTION \(functions[1]) IS
                'Locks a shard for a batch; nulls if the lease is another''s, or the batch was counted already.';

            CREATE FUNCTION \(ledger).advance(\(proof), after_sequence bigint, moves boolean, to_checkpoint text[],
                    to_stretch_end text[], to_stripe int, to_stripe_key text[], changed bigint, unchanged bigint,
                    left_deferred text[], is_exhausted boolean)
                RETURNS \(ledger).shard LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
            DECLARE
                advanced \(ledger).shard;
            BEGIN
                UPDATE \(ledger).shard AS s SET
                    checkpoint = CASE WHEN moves THEN COALESCE(to_checkpoint, s.checkpoint) ELSE s.checkpoint END,
                    stretch_end = CASE WHEN moves THEN to_stretch_end ELSE s.stretch_end END,
                    stripe = CASE WHEN moves THEN to_stripe ELSE s.stripe END,
                    stripe_key = CASE WHEN moves THEN to_stripe_key ELSE s.stripe_key END,
                    sequence = s.sequence + 1, rows_done = s.rows_done + changed,
                    rows_unchanged = s.rows_unchanged + unchanged, failures = 0, error = NULL,
                    deferred = COALESCE(left_deferred, s.deferred),
                    state = CASE WHEN is_exhausted AND cardinality(COALESCE(left_deferred, s.deferred)) = 0 THEN 'done'
                        ELSE s.state END
                WHERE \(isProven) AND s.sequence = after_sequence RETURNING s.* INTO advanced;
                -- What the caller's transaction has changed must not stay without its checkpoint.
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'the lease of shard % of run % is not this worker''s, or its batch was counted already',
                        of_shard, of_run USING ERRCODE = 'serialization_failure';
                END IF;
                RETURN advanced;
            END $body$;
            COMMENT ON FUNCTION \(functions[2]) IS 'Counts a batch and moves its shard''s cursor, or fails.';

            REVOKE ALL ON FUNCTION \(list) FROM PUBLIC;
            DO $body$
            DECLARE
                owner text;
                grantee text;
            BEGIN
                -- Another role than the ledger's owner may bring it to this version.
                SELECT pg_catalog.pg_get_userbyid(c.relowner) INTO owner FROM pg_catalog.pg_class AS c
                WHERE c.oid = \(literal)::pg_catalog.regclass AND pg_catalog.pg_get_userbyid(c.relowner) <> current_user;
                IF owner IS NOT NULL THEN
            \(functions.map { "        EXECUTE pg_catalog.format('ALTER FUNCTION \($0.replacing("'", with: "''").replacing("%", with: "%%")) OWNER TO %I', owner);" }.joined(separator: "\n"))
                END IF;
                -- Workers of roles with rights on the table itself, as coord asked for them before.
                FOR grantee IN
                    SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END
                    FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
                    WHERE c.oid = \(literal)::pg_catalog.regclass AND a.privilege_type = 'UPDATE'
                        AND a.grantee <> c.relowner
                LOOP
                    EXECUTE 'GRANT EXECUTE ON FUNCTION \(quotedList) TO ' || grantee;
                END LOOP;
            END $body$;
            """
    }
}
