"""The best Python program that is commonly written by hand: N processes, each with a range of keys of equal count.

What makes it fast: statements prepared by the server, arrays in binary, two columns read rather than the row, no transaction
open while Python computes, one round trip to write and commit a batch, processes forked after the imports. The plan is the
generic one, a nested loop over the primary key: a custom plan may hash the whole table for every batch.
"""

import multiprocessing
import sys

import psycopg

READ = """SELECT id, field1, field2 FROM the_object
          WHERE id > %b::bigint AND id <= %b::bigint ORDER BY id LIMIT %b::int"""
WRITE = """UPDATE the_object t SET field3 = u.v
           FROM unnest(%b::bigint[], %b::text[]) u(id, v) WHERE t.id = u.id"""
BOUNDS = """SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n, count(*) OVER () AS rows FROM the_object) numbered
            WHERE n = rows OR n %% ((rows + %(parts)s - 1) / %(parts)s) = 0 ORDER BY id"""


def update_range(after: int, through: int, rows_per_batch: int) -> None:
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        cursor = connection.cursor(binary=True)
        while rows := cursor.execute(READ, (after, through, rows_per_batch), prepare=True).fetchall():
            ids = [row[0] for row in rows]
            values = [f"{field1.upper()}-{field2 * 3}" for _, field1, field2 in rows]
            cursor.execute(WRITE, (ids, values), prepare=True)
            after = ids[-1]


def main(parts: int, rows_per_batch: int) -> None:
    with psycopg.connect(autocommit=True) as connection:
        bounds = [row[0] for row in connection.execute(BOUNDS, {"parts": parts})]
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=update_range, args=(after, through, rows_per_batch))
               for after, through in zip([-1, *bounds], bounds)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(any(worker.exitcode != 0 for worker in workers))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
