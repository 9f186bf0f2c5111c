"""The table that every contender changes: built once, loaded afresh before each measurement, checked after it."""

import time
from dataclasses import dataclass

import psycopg
from psycopg import sql

TABLE = "the_object"
UPDATE_EXPRESSION = "upper(field1) || '-' || field2 * 3"
PASSTHROUGH_EXPRESSION = "field1"

# How long the counters of a session that has just ended may take to be seen.
STATISTICS_SECONDS = 10

# Ids have small gaps everywhere (steps of 1 to 5) and a large hole every 10,000 rows, as a table has that lived for years.
# A row takes about 290 bytes on its page, and field3 keeps its length to within a few bytes, so no contender is helped or
# hurt by rows that shrink or grow.
_BUILD_TEMPLATE = """
CREATE UNLOGGED TABLE the_object_template AS
SELECT n * 3 + (hashint8(n) & 1) + (hashint8(n * 7) & 1) + n / 10000 * 50000 AS id,
       'name-' || substr(md5(n::text), 1, {field1_digits}) AS field1,
       (n * 7919 % 1000000)::int AS field2,
       'before-' || substr(md5((n + 1)::text), 1, {field3_digits}) AS field3,
       repeat(md5((n + 2)::text), 6) AS padding
FROM generate_series(1::bigint, {rows}) n
ORDER BY 1
"""

# None of them holds field3, the column that every contender changes.
_MORE_INDEXES = (
    "CREATE INDEX ON the_object (field1)",
    "CREATE INDEX ON the_object (field2)",
    "CREATE INDEX ON the_object (field2, id)",
    "CREATE INDEX ON the_object (field1, field2)",
)

_LOAD = (
    "DROP TABLE IF EXISTS the_object",
    """CREATE TABLE the_object (
           id bigint PRIMARY KEY, field1 text, field2 int, field3 text, padding text
       ) WITH (autovacuum_enabled = off)""",
    """INSERT INTO the_object SELECT id, field1, field2, {field3}, padding
       FROM the_object_template ORDER BY id LIMIT {rows}""",
)

_SETTLE = (
    "VACUUM (FREEZE, ANALYZE) the_object",
    "CHECKPOINT",
)

# Against the template, not against the row itself: so a contender that damages another column, loses a row or adds one is
# caught as well as one that writes a wrong value.
_VERIFY = """
SELECT count(*) FILTER (WHERE o.id IS NULL) AS lost,
       count(*) FILTER (WHERE t.id IS NULL) AS extra,
       count(*) FILTER (WHERE o.id = t.id AND o.field3 IS DISTINCT FROM t.expected) AS wrong,
       count(*) FILTER (WHERE o.id = t.id AND (o.field1, o.field2, o.padding) IS DISTINCT FROM
                                              (t.field1, t.field2, t.padding)) AS damaged
FROM (SELECT *, {expression} AS expected FROM the_object_template ORDER BY id LIMIT {rows}) t
FULL JOIN the_object o ON o.id = t.id
"""


@dataclass(frozen=True)
class Shape:
    """What kind of table a contender gets: field3 is null before, so that rows grow; five indexes instead of the key's alone."""

    grows: bool = False
    five_indexes: bool = False
    # Of the sessions that change it: full-page images are compressed by the session that writes them.
    wal_compression: str | None = None


@dataclass(frozen=True)
class Storage:
    """Bytes of the table's main file, and of each index by its name."""

    heap: int
    indexes: dict[str, int]


class WrongResult(Exception):
    """A contender left the table in another state than the one asked for; no figure of such a benchmark counts."""


class Dataset:
    """Owns the template and the fresh tables, over one administrative connection."""

    def __init__(self, connection: psycopg.Connection, max_rows: int, field1_digits: int = 12, field3_digits: int = 16):
        self._connection = connection
        self._database = sql.Identifier(connection.info.dbname)
        connection.execute("SET work_mem = '256MB'")
        connection.execute("SET jit = off")
        connection.execute("DROP TABLE IF EXISTS the_object_template")
        connection.execute(sql.SQL(_BUILD_TEMPLATE).format(
            rows=max_rows, field1_digits=field1_digits, field3_digits=field3_digits))
        connection.execute("ALTER TABLE the_object_template ADD PRIMARY KEY (id)")
        connection.execute("VACUUM (FREEZE, ANALYZE) the_object_template")

    def load(self, rows: int, shape: Shape = Shape()) -> None:
        """Replace the table by a fresh one of `rows` rows: vacuumed, analyzed, and with its pages flushed."""
        field3 = sql.SQL("NULL" if shape.grows else "field3")
        for statement in _LOAD + (_MORE_INDEXES if shape.five_indexes else ()) + _SETTLE:
            self._connection.execute(sql.SQL(statement).format(rows=rows, field3=field3))
        if shape.wal_compression:
            self._connection.execute(sql.SQL("ALTER DATABASE {} SET wal_compression = {}").format(
                self._database, shape.wal_compression))
        else:
            self._connection.execute(sql.SQL("ALTER DATABASE {} RESET wal_compression").format(self._database))

    def verify(self, rows: int, expression: str) -> None:
        """Raise `WrongResult` unless every row has the value of `expression` and is otherwise untouched."""
        query = sql.SQL(_VERIFY).format(rows=rows, expression=sql.SQL(expression))
        lost, extra, wrong, damaged = self._connection.execute(query).fetchone()
        if lost or extra or wrong or damaged:
            raise WrongResult(f"{lost} rows lost, {extra} added, {wrong} with a wrong value, "
                              f"{damaged} with another column changed, of {rows}")

    def bytes_per_row(self, rows: int) -> int:
        """Heap bytes per row of the table as it was just loaded."""
        return self._connection.execute("SELECT pg_relation_size('the_object') / %s", (rows,)).fetchone()[0]

    def wal_position(self) -> int:
        """Bytes of WAL since the cluster began. The insert position, so that unflushed records count too."""
        return self._connection.execute("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint").fetchone()[0]

    def storage(self) -> Storage:
        """How large the table and its indexes are now."""
        heap = self._connection.execute("SELECT pg_relation_size('the_object')").fetchone()[0]
        indexes = self._connection.execute(
            "SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) FROM pg_index "
            "WHERE indrelid = 'the_object'::regclass").fetchall()
        return Storage(heap, dict(indexes))

    def updates(self, at_least: int) -> tuple[int, int]:
        """Row versions written since the table was created, those of rolled back transactions included, and the HOT ones.

        A session's counters are seen a moment after its client has ended. Those of every row have to come; what is written
        besides them may still be missing.
        """
        deadline = time.monotonic() + STATISTICS_SECONDS
        while True:
            updated, hot = self._connection.execute(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'the_object'").fetchone()
            if updated >= at_least or time.monotonic() > deadline:
                return updated, hot
            time.sleep(0.05)

    def compresses_wal(self, method: str) -> bool:
        """Whether this server can compress full-page images by `method`."""
        return bool(self._connection.execute(
            "SELECT %s = ANY (enumvals) FROM pg_settings WHERE name = 'wal_compression'", (method,)).fetchone()[0])

    def drop(self) -> None:
        """Give the disk space back."""
        self._connection.execute("DROP TABLE IF EXISTS the_object, the_object_template")
        self._connection.execute(sql.SQL("ALTER DATABASE {} RESET wal_compression").format(self._database))
