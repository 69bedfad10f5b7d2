"""Progress bars with an estimate of the time left, shown on stderr."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(
    items: Iterable[T] | None = None,
    *,
    description: str,
    total: int | None = None,
    unit: str = "it",
) -> "tqdm[T]":
    """Returns a tqdm bar on stderr: iterate over it, or call ``update`` on it.

    Bars are drawn at most twice a second, and every ten seconds where stderr is not a
    terminal, so that a log file keeps a readable trace instead of thousands of lines.
    """
    return tqdm(
        items,
        desc=description,
        total=total,
        unit=unit,
        file=sys.stderr,
        mininterval=0.5 if sys.stderr.isatty() else 10.0,
        dynamic_ncols=True,
    )


def chunks(sequence: list[T], size: int) -> Iterator[list[T]]:
    """Yields consecutive slices of `sequence` of at most `size` elements."""
    for start in range(0, len(sequence), size):
        yield sequence[start : start + size]
