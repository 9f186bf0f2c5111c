"""Does coord's memory depend on the table? The same job over a small and a large one, 8 workers each."""

from collections.abc import Iterator
from pathlib import Path

import coord_contenders
from contenders import Contender

WORKERS = 8
ROLES = ("worker", "coordinator")


def contenders(coord: Path, sizes: list[int]) -> Iterator[Contender]:
    """Set-based and row-based (pass-through) at each size, the sizes next to each other."""
    for kind in (coord_contenders.set_based, coord_contenders.passthrough):
        for rows in sizes:
            yield kind(coord, rows, WORKERS)
