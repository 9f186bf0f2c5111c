"""How long does the application wait for rows that nobody but coord touches, while somebody holds one row?

One session holds a row of the table, coord runs over all rows, and an application updates other rows, one after another.
"""

import json
import random
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from dataset import TABLE, UPDATE_EXPRESSION, Dataset

WORKERS = 2
# The default, and what a batch waited for before it had a patience of its own.
PATIENCES = ("200ms", "5s")


@dataclass
class Latency:
    """Of the application's updates, in milliseconds, while the run was under way."""

    patience: str
    updates: int
    median: float
    p99: float
    longest: float


def measure(coord: Path, dataset: Dataset, rows: int, timeout_seconds: float) -> list[Latency]:
    """Once with each patience, each on a fresh table."""
    return [_measure(coord, dataset, rows, patience, timeout_seconds) for patience in PATIENCES]


def _measure(coord: Path, dataset: Dataset, rows: int, patience: str, timeout_seconds: float) -> Latency:
    dataset.load(rows)
    with (tempfile.TemporaryDirectory() as directory, psycopg.connect() as holder,
          psycopg.connect(autocommit=True) as application):
        ids = [row[0] for row in application.execute(f"SELECT id FROM {TABLE} ORDER BY id")]
        held = ids[len(ids) // 3]
        holder.execute(f"SELECT FROM {TABLE} WHERE id = {held} FOR UPDATE")
        job = Path(directory) / "job.yaml"
        job.write_text(f"name: latency\ntable: public.{TABLE}\nlock_patience: {patience}\n"
                       f"set:\n  field3: {UPDATE_EXPRESSION}\n")
        subprocess.run([coord, "ledger", "install"], check=True, stdout=subprocess.DEVNULL)
        run = subprocess.Popen([str(coord), "start", str(job), "--workers", str(WORKERS), "--new", "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            waits = _update_others(application, [i for i in ids if i != held], held, timeout_seconds)
            holder.rollback()
            output, _ = run.communicate(timeout=timeout_seconds)
        finally:
            run.kill()
        summary = json.loads(output.splitlines()[-1])
        if summary.get("state") != "complete":
            raise TimeoutError(f"the run with {patience} ended as {summary.get('state')}")
    cut = statistics.quantiles(waits, n=100)
    return Latency(patience, len(waits), cut[49], cut[98], max(waits))


def _update_others(application: psycopg.Connection, ids: list[int], held: int, timeout_seconds: float) -> list[float]:
    """Updates rows around the held one, until the run has done all but that one and a second more."""
    waits: list[float] = []
    place = next(index for index, number in enumerate(ids) if number > held)
    near = ids[max(0, place - 2000):place + 2000]
    deadline = time.monotonic() + timeout_seconds
    end = None
    while end is None or time.monotonic() < end:
        began = time.monotonic()
        if began > deadline:
            raise TimeoutError("the run did not come to the held row")
        application.execute(f"UPDATE {TABLE} SET field2 = field2 WHERE id = {random.choice(near)}")
        waits.append((time.monotonic() - began) * 1000)
        if end is None and len(waits) % 20 == 0 and _only_held_rows_are_left(application):
            end = time.monotonic() + 1
    return waits


def _only_held_rows_are_left(application: psycopg.Connection) -> bool:
    """Whether every shard is done, or waits: with a long patience it never steps around, so the last one stands still."""
    row = application.execute(
        """SELECT count(*) FILTER (WHERE state <> 'done') <= 1 AND count(*) > 0 FROM coord.shard
           WHERE run_id = (SELECT id FROM coord.run WHERE state = 'running')""").fetchone()
    return bool(row and row[0])


def table(latencies: list[Latency]) -> str:
    """One line a patience."""
    lines = ["| `lock_patience` | updates of other rows | median | p99 | longest |", "|---|--:|--:|--:|--:|"]
    for item in latencies:
        lines.append(f"| {item.patience} | {item.updates:,} | {item.median:.1f} ms | {item.p99:.0f} ms | {item.longest:.0f} ms |")
    return "\n".join(lines)
