"""coord itself, through its command line alone: three kinds of compute, each with several numbers of workers."""

import os
import sys
from pathlib import Path

from contenders import CONFIG, PROGRAMS, Contender
from dataset import PASSTHROUGH_EXPRESSION, UPDATE_EXPRESSION
from processes import ProcessPeak

# The interpreter itself that the other Python contenders have too, not a launcher that finds it.
_PYTHON = os.path.realpath(sys.executable)

_JOB_HEAD = """\
name: {name}
table: public.the_object
key: id
"""

_SET_BASED = f"""\
set:
  field3: {UPDATE_EXPRESSION}
"""

PASSTHROUGH = """\
read: [field1]
compute:
  transform: passthrough
  writes: [field3]
"""

_COMMAND = """\
read: [field1, field2]
compute:
  command: [{python}, {program}]
  writes: [field3]
"""


def _role(process: ProcessPeak, root: ProcessPeak | None) -> str:
    """The root is the coordinator, what runs the same executable is a worker, and anything else is a worker's program."""
    if process.is_root:
        return "coordinator"
    return "worker" if root and process.executable == root.executable else "program"


def contender(coord: Path, name: str, title: str, body: str, rows: int, workers: int, expected: str) -> Contender:
    """One job, by `coord start`."""
    def prepare(directory: Path) -> list[str]:
        job = directory / "job.yaml"
        job.write_text(_JOB_HEAD.format(name=name) + body)
        return [str(coord), "start", str(job), "--workers", str(workers), "--json", "--new"]

    return Contender(f"{name}-{workers}", f"{title}, {workers} worker{'s' if workers > 1 else ''}", rows, prepare, expected,
                     _role, prints_summary=True, skip=None if coord.exists() else f"no {coord.name} executable was built")


def set_based(coord: Path, rows: int, workers: int) -> Contender:
    """The new value is an SQL expression."""
    return contender(coord, "coord-set", "coord set-based", _SET_BASED, rows, workers, UPDATE_EXPRESSION)


def passthrough(coord: Path, rows: int, workers: int) -> Contender:
    """The rows travel to the worker and back, and the compute itself costs nothing: the row-based path alone."""
    return contender(coord, "coord-passthrough", "coord row-based, Swift pass-through", PASSTHROUGH, rows, workers,
                     PASSTHROUGH_EXPRESSION)


def command(coord: Path, rows: int, workers: int) -> Contender:
    """The compute is the simplest Python program that somebody would write."""
    body = _COMMAND.format(python=_PYTHON, program=PROGRAMS / "compute.py")
    return contender(coord, "coord-command", "coord row-based, Python command", body, rows, workers, UPDATE_EXPRESSION)


def chunked_command(coord: Path, rows: int, workers: int) -> Contender:
    """The sample that answers all the lines that have come at once."""
    body = _COMMAND.format(python=_PYTHON, program=CONFIG / "compute_chunks.py")
    return contender(coord, "coord-chunks", "coord row-based, Python command in chunks", body, rows, workers,
                     UPDATE_EXPRESSION)


def contenders(coord: Path, rows: int, worker_counts: list[int]) -> list[Contender]:
    """Every kind of compute with every number of workers."""
    kinds = (set_based, passthrough, command, chunked_command)
    return [kind(coord, rows, workers) for kind in kinds for workers in worker_counts]
