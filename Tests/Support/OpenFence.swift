/// A ledger whose fence lets everybody through, to prove that the fence is needed.
package enum OpenFence {
    /// Takes the conditions on the lease out of the ledger's functions; fails if they are not there.
    package static let sql = """
        DO $open$
        DECLARE
            body text;
            opened text;
        BEGIN
            FOR body IN SELECT pg_get_functiondef(oid) FROM pg_proc
                WHERE pronamespace = 'coord'::regnamespace AND proname IN ('fence', 'advance')
            LOOP
                opened := replace(replace(body, 'AND s.epoch = in_epoch AND s.owner = by_owner AND s.state = ''running''', ''),
                    'AND s.sequence = after_sequence', '');
                IF length(body) - length(opened) <> 100 THEN
                    RAISE 'the fence is another: %', body;
                END IF;
                EXECUTE opened;
            END LOOP;
        END $open$
        """
}
