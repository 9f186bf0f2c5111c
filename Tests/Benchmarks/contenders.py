"""What is measured side by side. Each peer is written as somebody who knows it well would, so that it loses nothing by form."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import batch_statement
from dataset import UPDATE_EXPRESSION, Shape
from processes import ProcessPeak

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
CONFIG = HERE.parent.parent / "Config"
ROWS_PER_BATCH = 1000
PEER_PROCESSES = 8


def _only_client(process: ProcessPeak, root: ProcessPeak | None) -> str:
    return "client"


def _parent_or_worker(process: ProcessPeak, root: ProcessPeak | None) -> str:
    return "parent" if process.is_root else "worker"


@dataclass(frozen=True)
class Contender:
    """One row of the table.

    `prepare` gets the directory of the measurement, does what is not to be timed on the freshly loaded table, and returns the
    command that is. `expected` is the right value as SQL over the template's columns, `shape` the kind of table that it gets.
    `skip` says why it cannot run here.
    """

    name: str
    title: str
    rows: int
    prepare: Callable[[Path], list[str]]
    expected: str = UPDATE_EXPRESSION
    role: Callable[[ProcessPeak, ProcessPeak | None], str] = _only_client
    prints_summary: bool = False
    shape: Shape = Shape()
    skip: str | None = None


def peers(rows: int, django_rows: int, coord: Path) -> list[Contender]:
    """Everything that is not coord, the giant UPDATE (the yardstick of the ratios) first."""
    return [giant_update(rows), _procedure(rows), _django_bulk_update(django_rows), _django_batched(django_rows),
            _psycopg_unnest(rows), _pgbench_batch(rows, coord)]


def giant_update(rows: int) -> Contender:
    # One statement over the simple protocol: nothing faster can be asked of one session.
    statement = f"UPDATE the_object SET field3 = {UPDATE_EXPRESSION}"
    return Contender("giant-update", "one giant UPDATE", rows, lambda _: psql("-c", statement))


def _procedure(rows: int) -> Contender:
    # The loop runs inside the server: no round trips at all. It finds a batch's bound from the index alone.
    def prepare(_: Path) -> list[str]:
        run_psql("-f", str(PROGRAMS / "batched_procedure.sql"))
        return psql("-c", f"CALL bench_update_in_batches({ROWS_PER_BATCH})")

    return Contender("procedure", f"PL/pgSQL procedure, COMMIT per {ROWS_PER_BATCH} rows", rows, prepare)


def _django_bulk_update(rows: int) -> Contender:
    # As Django's documentation shows it, with a batch_size where its CASE ... WHEN, whose cost is quadratic, is still cheap.
    return Contender("django-bulk-update", "Django bulk_update(batch_size=250), all objects at once", rows,
                     lambda _: [sys.executable, str(PROGRAMS / "django_update.py"), "all-objects"])


def _django_batched(rows: int) -> Contender:
    # What a careful Django developer does about the memory: keyset chunks, only the columns needed, one transaction each.
    return Contender("django-batched", f"Django, keyset chunks of {ROWS_PER_BATCH}, bulk_update and commit each", rows,
                     lambda _: [sys.executable, str(PROGRAMS / "django_update.py"), "chunks", str(ROWS_PER_BATCH)])


def _psycopg_unnest(rows: int) -> Contender:
    # The best that is commonly written by hand in Python; see the program for what was done to make it fast.
    return Contender("psycopg-unnest", f"psycopg, unnest arrays, {PEER_PROCESSES} processes", rows,
                     lambda _: [sys.executable, str(PROGRAMS / "psycopg_unnest.py"), str(PEER_PROCESSES),
                                str(ROWS_PER_BATCH)],
                     role=_parent_or_worker)


def _pgbench_batch(rows: int, coord: Path) -> Contender:
    # The same statement under the same settings, prepared by the script, from a C client that does nothing else. What coord is slower by is
    # coord's own cost.
    def prepare(directory: Path) -> list[str]:
        batch = batch_statement.write(coord, directory, UPDATE_EXPRESSION, PEER_PROCESSES, ROWS_PER_BATCH)
        # One thread: pgbench's client side is idle, and its clients are what runs in parallel.
        transactions = -(-(-(-rows // PEER_PROCESSES)) // ROWS_PER_BATCH)
        return ["env", f"PGOPTIONS={batch.options}", "pgbench", "-n", "-f", str(batch.script),
                "-D", "started=0", "-c", str(PEER_PROCESSES), "-j", "1", "-t", str(transactions)]

    return Contender("pgbench-batch", f"pgbench, coord's batch statement, {PEER_PROCESSES} clients", rows, prepare,
                     skip=None if coord.exists() else "no coord executable was built, so no batch statement")


def psql(*arguments: str) -> list[str]:
    """The command of a psql that stops at the first error."""
    return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments]


def run_psql(*arguments: str) -> None:
    """Run psql outside of any measured time."""
    subprocess.run(psql(*arguments), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
