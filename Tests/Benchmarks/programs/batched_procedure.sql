-- A loop in the server that commits each batch. The bound comes from the primary key alone (an index-only scan, as the table
-- was just vacuumed), and the update goes by range, so each key is looked up once.
CREATE OR REPLACE PROCEDURE bench_update_in_batches(rows_per_batch int) LANGUAGE plpgsql AS $$
DECLARE
    after bigint := -1;
    through bigint;
BEGIN
    LOOP
        SELECT max(id) INTO through
        FROM (SELECT id FROM the_object WHERE id > after ORDER BY id LIMIT rows_per_batch) batch;
        EXIT WHEN through IS NULL;
        UPDATE the_object SET field3 = upper(field1) || '-' || field2 * 3 WHERE id > after AND id <= through;
        COMMIT;
        after := through;
    END LOOP;
END
$$;
