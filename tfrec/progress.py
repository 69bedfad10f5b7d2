"""Progress bars with an estimate of the time left, shown on stderr."""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
ProgressBar = tqdm
_silent = ContextVar("silent", default=False)


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
        disable=_silent.get(),
    )


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Draws no bars in the block: for many small pieces of work beside a longer one."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def write_line(text: str) -> None:
    """Writes a line to stderr without breaking the bar that is drawn there."""
    tqdm.write(text, file=sys.stderr)
