"""One measurement: a fresh table, one contender's run, the check of its result, the figures."""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import processes
from contenders import Contender
from dataset import Dataset, WrongResult


class ContenderFailed(Exception):
    """A contender's command failed; the message carries what it said on stderr."""


@dataclass
class Measurement:
    """The figures of one run of one contender. Seconds are wall time from the command's start to its exit."""

    contender: str
    rows: int
    seconds: float
    rows_per_second: float
    wal_bytes_per_row: float
    peak_kib: dict[str, int]
    tree_peak_kib: int
    tuples_updated: int
    # Of all updates, 0 to 1.
    hot_share: float
    # Sizes after the run as multiples of those before. Of the indexes the one that grew most.
    heap_growth: float
    index_growth: float
    sampler_seconds: float
    own_summary: dict | None = None
    notes: list[str] = field(default_factory=list)


def measure(dataset: Dataset, contender: Contender, timeout_seconds: float) -> Measurement:
    """Measure `contender` once. Raises `WrongResult` or `ContenderFailed`; either ends the benchmark."""
    with tempfile.TemporaryDirectory(prefix="coord-bench-") as name:
        directory = Path(name)
        dataset.load(contender.rows, contender.shape)
        command = contender.prepare(directory)
        before = dataset.storage()
        wal_before = dataset.wal_position()
        outcome = processes.run(command, directory, timeout_seconds)
        wal_bytes = dataset.wal_position() - wal_before
    if outcome.exit_code != 0:
        raise ContenderFailed(f"{contender.name} exited with {outcome.exit_code}: {outcome.stderr[-2000:]}")
    try:
        dataset.verify(contender.rows, contender.expected)
    except WrongResult as error:
        raise WrongResult(f"{contender.name}: {error}") from error
    after = dataset.storage()
    updated, hot = dataset.updates(contender.rows)
    return Measurement(
        contender=contender.name,
        rows=contender.rows,
        seconds=outcome.seconds,
        rows_per_second=contender.rows / outcome.seconds,
        wal_bytes_per_row=wal_bytes / contender.rows,
        peak_kib=_peaks_by_role(contender, outcome.processes),
        tree_peak_kib=sum(process.peak_kib for process in outcome.processes),
        tuples_updated=updated,
        hot_share=hot / updated if updated else 0,
        heap_growth=after.heap / before.heap,
        index_growth=max(after.indexes[name] / bytes for name, bytes in before.indexes.items()),
        sampler_seconds=outcome.sampler_seconds,
        own_summary=_last_json_line(outcome.stdout) if contender.prints_summary else None,
        notes=[f"left {len(outcome.left_behind)} processes behind"] if outcome.left_behind else [],
    )


def _peaks_by_role(contender: Contender, seen: list[processes.ProcessPeak]) -> dict[str, int]:
    """The largest process of each role: a worker's limit is what each worker must keep, not their sum."""
    root = next((process for process in seen if process.is_root), None)
    peaks: dict[str, int] = {}
    for process in seen:
        role = contender.role(process, root)
        peaks[role] = max(peaks.get(role, 0), process.peak_kib)
    return peaks


def _last_json_line(text: str) -> dict | None:
    for line in reversed(text.splitlines()):
        try:
            value = json.loads(line)
        except ValueError:
            continue  # A line for people between the lines for programs.
        if isinstance(value, dict):
            return value
    return None

