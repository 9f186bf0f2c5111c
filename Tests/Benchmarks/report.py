"""Turns measurements into the table of `docs/benchmarks.md`."""

from collections.abc import Iterable
from pathlib import Path
from statistics import median

from contenders import Contender
from measure import Measurement
from memory import ROLES

BASELINE = "giant-update"
FEWEST_ROUNDS = 3

TABLE_SECTION = "bench"
MEMORY_SECTION = "bench-memory"
LATENCY_SECTION = "bench-latency"
COMB_SECTION = "bench-comb"

_NEW_DOCUMENT = """\
# Benchmarks

`make bench` runs every contender over the same rows on a private PostgreSQL server and writes the tables below. A figure
belongs to the machine named under its table, and only rows of one table can be compared with each other.

## Rows per second

<!-- bench:begin -->
<!-- bench:end -->

## The order of work

`make bench` with `--comb` writes this table: what each order of work leaves of the table, and how fast it is.

<!-- bench-comb:begin -->
<!-- bench-comb:end -->

## Memory

`make bench` with `--memory` writes this table: the same job over a small and a large table.

<!-- bench-memory:begin -->
<!-- bench-memory:end -->
"""


def table(contenders: list[Contender], measurements: list[Measurement], machine: dict[str, str], bytes_per_row: int) -> str:
    """All contenders side by side: medians, with ratios to the giant UPDATE of the same run."""
    runs = {contender.name: [m for m in measurements if m.contender == contender.name] for contender in contenders}
    speeds = {name: median(m.rows_per_second for m in of_one) for name, of_one in runs.items() if of_one}
    baseline = speeds.get(BASELINE)
    lines = ["| contender | rows | rows/s | × giant UPDATE | spread (min–max) | WAL bytes/row | peak RSS |",
             "|---|--:|--:|--:|--:|--:|---|"]
    for contender in contenders:
        if contender.name not in speeds:
            lines.append(f"| {contender.title} | – | – | – | – | – | skipped |")
            continue
        of_one = runs[contender.name]
        rates = [m.rows_per_second for m in of_one]
        ratio = f"{speeds[contender.name] / baseline:.2f}" if baseline else "–"
        lines.append(f"| {contender.title} | {contender.rows:,} | {speeds[contender.name]:,.0f} | {ratio} "
                     f"| {min(rates):,.0f}–{max(rates):,.0f} | {median(m.wal_bytes_per_row for m in of_one):,.0f} "
                     f"| {_memory(of_one)} |")
    lines += ["", *_notes(contenders, measurements, bytes_per_row), "", machine_line(machine)]
    return "\n".join(lines)


def memory_table(contenders: list[Contender], measurements: list[Measurement], machine: dict[str, str]) -> str:
    """Peak memory of each role at each size, and how much the largest size takes over the smallest, in percent."""
    sizes = sorted({contender.rows for contender in contenders})
    header = " | ".join(f"{rows:,} rows" for rows in sizes)
    lines = [f"| coord, process | {header} | difference |", f"|---|{'--:|' * len(sizes)}--:|"]
    for title in dict.fromkeys(contender.title for contender in contenders):
        name = next(contender.name for contender in contenders if contender.title == title)
        for role in ROLES:
            peaks = [max((m.peak_kib.get(role, 0) for m in measurements if m.contender == name and m.rows == rows), default=0)
                     for rows in sizes]
            if not all(peaks):
                lines.append(f"| {title}: {role} | {' | '.join('–' for _ in sizes)} | skipped |")
                continue
            cells = " | ".join(f"{peak / 1024:.1f} MiB" for peak in peaks)
            lines.append(f"| {title}: {role} | {cells} | {(peaks[-1] / peaks[0] - 1) * 100:+.1f} % |")
    rounds = _rounds(measurements)
    lines += ["", f"Peak RSS (VmHWM) of the largest worker and of the coordinator over {rounds} round{'s'[:rounds != 1]}.",
              *_skips(contenders), "", machine_line(machine)]
    return "\n".join(lines)


def machine_line(machine: dict[str, str]) -> str:
    """The line under each table."""
    return "Machine: " + "; ".join(f"{key} {value}" for key, value in machine.items()) + "."


def write_section(path: Path, section: str, text: str) -> None:
    """Replace what stands between the section's markers in `path`; a missing file is made around them."""
    document = path.read_text() if path.exists() else _NEW_DOCUMENT
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    head, found_begin, rest = document.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{path} has no {begin} … {end}; nothing written")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def _memory(measurements: list[Measurement]) -> str:
    peaks: dict[str, int] = {}
    for measurement in measurements:
        for role, kib in measurement.peak_kib.items():
            peaks[role] = max(peaks.get(role, 0), kib)
    # A program's memory is its author's, not coord's: it is in the notes.
    shown = {role: kib for role, kib in peaks.items() if role != "program"}
    return ", ".join(f"{role} {kib / 1024:.0f} MiB" for role, kib in sorted(shown.items(), reverse=True)) or "–"


def _rounds(measurements: list[Measurement]) -> int:
    counts: dict[tuple[str, int], int] = {}
    for measurement in measurements:
        key = (measurement.contender, measurement.rows)
        counts[key] = counts.get(key, 0) + 1
    return min(counts.values(), default=0)


def _notes(contenders: list[Contender], measurements: list[Measurement], bytes_per_row: int) -> Iterable[str]:
    rounds = _rounds(measurements)
    largest = max((contender.rows for contender in contenders), default=0)
    yield (f"Medians of {rounds} round{'s'[:rounds != 1]}, every contender once in each. A fresh, vacuumed table of "
           f"{bytes_per_row} bytes a row and a checkpoint before each run, autovacuum off on that table alone. Time is from "
           "the client's start to its exit. Every row was checked after every run. Peak RSS is the largest client process "
           "of its kind, without the server's; WAL includes the full-page images after the checkpoint.")
    fewer = [contender.name for contender in contenders if contender.rows < largest]
    if fewer:
        yield (f"- On fewer rows, since they are slow: {', '.join(fewer)}. django-bulk-update holds all its objects in memory, "
               "so its peak RSS grows with the rows.")
    programs = [m.peak_kib["program"] for m in measurements if "program" in m.peak_kib]
    if programs:
        yield f"- Each Python program that coord ran took up to {max(programs) / 1024:.0f} MiB besides."
    for measurement in measurements:
        for note in measurement.notes:
            yield f"- {measurement.contender}: {note}."
    yield from _skips(contenders)


def _skips(contenders: list[Contender]) -> Iterable[str]:
    reasons: dict[str, list[str]] = {}
    for contender in contenders:
        if contender.skip:
            reasons.setdefault(contender.skip, []).append(contender.name)
    for reason, names in reasons.items():
        yield f"- Skipped ({reason}): {', '.join(dict.fromkeys(names))}."
