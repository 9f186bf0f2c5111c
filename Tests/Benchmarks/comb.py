"""Does the table stay small, and how fast is that? Orders of work side by side, over tables with one index and with five.

The server's limit is measured with them: as many plain UPDATEs at once as there are cores, with no ledger and no commit between.
"""

import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import coord_contenders
from contenders import Contender, psql, run_psql
from dataset import PASSTHROUGH_EXPRESSION, Shape
from measure import Measurement

WORKERS = (2, 8)
ORDERS = ("key", "comb")
COMPRESSION = "lz4"
# Digits of the two texts, so that every job writes 24 bytes where 24 bytes were.
FIELD1_DIGITS = 19
FIELD3_DIGITS = 17
EXPRESSION = "upper(field1)"

_SET_BASED = f"""\
set:
  field3: {EXPRESSION}
"""

# A part for each client, by pages: each session then reads and writes only where no other one does. By keys as well, as the last
# page takes new versions of other parts.
_PARTS = """
DROP TABLE IF EXISTS bench_part;
CREATE UNLOGGED TABLE bench_part AS
SELECT client, first, behind, min(id) AS lowest, max(id) AS through
FROM (SELECT n AS client, n * pages / {clients} AS first, (n + 1) * pages / {clients} AS behind
      FROM generate_series(0, {clients} - 1) AS n,
          (SELECT pg_relation_size('the_object') / current_setting('block_size')::bigint AS pages) AS size) AS parts,
    the_object
WHERE the_object.ctid >= format('(%s,0)', first)::tid AND the_object.ctid < format('(%s,0)', behind)::tid
GROUP BY client, first, behind
"""

_PLAIN_UPDATE = f"""\
SELECT first, behind, lowest, through FROM bench_part WHERE client = :client_id \\gset
UPDATE the_object SET field3 = {EXPRESSION}
WHERE ctid >= '(:first,0)'::tid AND ctid < '(:behind,0)'::tid AND id >= :lowest AND id <= :through;
"""


@dataclass(frozen=True)
class Group:
    """One table of the section."""

    name: str
    title: str
    shape: Shape


GROUPS = (
    Group("one-index", "The key's index alone, values of equal width", Shape()),
    Group("five-indexes", "Five indexes, values of equal width", Shape(five_indexes=True)),
    Group("growing", "The key's index alone, a column from NULL to 24 bytes", Shape(grows=True)),
)


def contenders(coord: Path, rows: int) -> list[Contender]:
    """Everything over every kind of table. The name begins with that of the group: `--only one-index` chooses one table."""
    return [dataclasses.replace(contender, name=f"{group.name}-{contender.name}", shape=group.shape)
            for group in GROUPS for contender in _of_one_table(coord, rows)]


def compressed(contender: Contender) -> Contender:
    """The same with full-page images compressed."""
    shape = dataclasses.replace(contender.shape, wal_compression=COMPRESSION)
    return dataclasses.replace(contender, name=f"{contender.name}-{COMPRESSION}", shape=shape)


def _of_one_table(coord: Path, rows: int) -> Iterable[Contender]:
    statement = f"UPDATE the_object SET field3 = {EXPRESSION}"
    yield Contender("giant-update", "one giant UPDATE", rows, lambda _: psql("-c", statement), EXPRESSION)
    yield _plain_updates(rows, os.cpu_count() or 1)
    for kind in (_set_based, _passthrough):
        for order in ORDERS:
            for workers in WORKERS:
                yield kind(coord, rows, workers, order)
    # All of them in flight at a time, where coord would let few write.
    yield coord_contenders.contender(coord, "coord-set-comb-all", f"coord set-based, `order: comb`, `in_flight: {WORKERS[-1]}`",
                                     f"order: comb\nin_flight: {WORKERS[-1]}\n{_SET_BASED}", rows, WORKERS[-1], EXPRESSION)


def _plain_updates(rows: int, clients: int) -> Contender:
    # One statement and one commit each: no ledger, no round trips, nobody's rows but their own.
    def prepare(directory: Path) -> list[str]:
        run_psql("-c", _PARTS.format(clients=clients))
        script = directory / "update.pgbench"
        script.write_text(_PLAIN_UPDATE)
        return ["pgbench", "-n", "-f", str(script), "-c", str(clients), "-j", "1", "-t", "1"]

    return Contender("plain-updates", f"{clients} plain UPDATEs at once, each over its own part", rows, prepare, EXPRESSION)


def _set_based(coord: Path, rows: int, workers: int, order: str) -> Contender:
    return coord_contenders.contender(coord, f"coord-set-{order}", f"coord set-based, `order: {order}`",
                                      f"order: {order}\n{_SET_BASED}", rows, workers, EXPRESSION)


def _passthrough(coord: Path, rows: int, workers: int, order: str) -> Contender:
    title = f"coord row-based, Swift pass-through, `order: {order}`"
    return coord_contenders.contender(coord, f"coord-passthrough-{order}", title,
                                      f"order: {order}\n{coord_contenders.PASSTHROUGH}", rows, workers,
                                      PASSTHROUGH_EXPRESSION)


def table(chosen: list[Contender], measurements: list[Measurement]) -> str:
    """One table a group: medians, with ratios to the giant UPDATE of the same group."""
    runs = {contender.name: [m for m in measurements if m.contender == contender.name] for contender in chosen}
    parts = []
    for group in GROUPS:
        members = [contender for contender in chosen if contender.name.startswith(f"{group.name}-")]
        if members:
            parts.append(f"**{group.title}**\n\n" + "\n".join(_lines(group, members, runs, measurements)))
    return "\n\n".join(parts)


def _lines(group: Group, members: list[Contender], runs: dict[str, list[Measurement]],
           measurements: list[Measurement]) -> Iterable[str]:
    yield ("| contender | rows/s | × giant UPDATE | spread (min–max) | HOT | heap | index | WAL bytes/row "
           f"| with {COMPRESSION} |")
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    giant = runs.get(f"{group.name}-giant-update")
    baseline = median(m.rows_per_second for m in giant) if giant else None
    for contender in members:
        of_one = runs[contender.name]
        if not of_one:
            yield f"| {contender.title} | skipped{' | –' * 7} |"
            continue
        rates = [m.rows_per_second for m in of_one]
        ratio = f"{median(rates) / baseline:.2f}" if baseline else "–"
        compressed_wal = [m.wal_bytes_per_row for m in measurements if m.contender == f"{contender.name}-{COMPRESSION}"]
        yield (f"| {contender.title} | {median(rates):,.0f} | {ratio} | {min(rates):,.0f}–{max(rates):,.0f} "
               f"| {median(m.hot_share for m in of_one) * 100:.1f} % | {median(m.heap_growth for m in of_one):.2f} "
               f"| {median(m.index_growth for m in of_one):.2f} | {median(m.wal_bytes_per_row for m in of_one):,.0f} "
               f"| {f'{median(compressed_wal):,.0f}' if compressed_wal else '–'} |")


def notes(rows: int, rounds: int, bytes_per_row: int) -> str:
    """What a reader must know of all the tables."""
    return (f"{rows:,} rows of {bytes_per_row} bytes where field3 is filled. Medians of {rounds} round{'s'[:rounds != 1]}, every "
            "contender once in each; every row was checked after every run. A fresh, vacuumed table and a checkpoint before each "
            "run, autovacuum off on that table. HOT is the share of all updates; heap and index are sizes after the run as "
            "multiples of those before, of the indexes the one that grew most. "
            f"With {COMPRESSION}: bytes of WAL a row in one run more, with `wal_compression={COMPRESSION}`.")
