"""The gateway's event log, format 1: served lists and what shoppers did, as JSON Lines."""

import heapq
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SEGMENTS = "events-*.jsonl"
SERVED = "recommendation"
IMPRESSION = "impression"
CLICK = "click"


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    event: str
    time: float
    received: float
    # None: a shopper without an id, or one whose id could not be hashed.
    user: str | None
    recommendation_id: str | None = None
    model_version: int | None = None
    variant: str | None = None


class ServedList(_Line):
    """A list that was served, in the order in which it is shown.

    Attributes:
        received: unix seconds by the gateway's clock.
        time: unix seconds by the caller's clock, where it gave one.
        item_ids: the items, the first place first.
        scores: the model's scores of the items.
        probabilities: by event type, those of the items, where the model says them.
        propensities: probability with which each item was shown at its place, where known.
        history_length: items that the model was asked with.
        history_unknown: how many of these it does not know.
        degraded: whether the history store did not answer.
        latency_ms: time that the gateway took.
    """

    model: str = ""
    item_ids: list[str]
    scores: list[float] | None = None
    probabilities: dict[str, list[float]] | None = None
    propensities: list[float] | None = None
    history_length: int | None = Field(default=None, ge=0)
    history_unknown: int | None = Field(default=None, ge=0)
    degraded: bool = False
    latency_ms: float | None = None


class ShopperEvent(_Line):
    """What a shopper did with an item: saw it (impression), clicked it, bought it, and so on.

    Attributes:
        item_id: the item.
        position: its place in the list, from 1.
        propensity: probability with which it was shown there, where known.
        value: money, where known.
    """

    item_id: str
    position: int | None = None
    propensity: float | None = None
    value: float | None = None


LogLine = ServedList | ShopperEvent


def read_line(line: bytes) -> LogLine | None:
    """Returns a line of the log, or None if it is none."""
    try:
        # The two kinds have no required field in common that tells them apart but this one.
        if b'"item_ids"' in line:
            served = ServedList.model_validate_json(line)
            return served if served.event == SERVED else None
        return ShopperEvent.model_validate_json(line)
    except ValidationError:
        return None


@dataclass
class _Segment:
    inode: int
    offset: int = 0
    newest: float = float("-inf")


class EventLogReader:
    """Reads a log folder, and later what was added to it.

    Segments may be rotated, removed, or replaced by shorter ones (when a shopper is erased) between
    two reads; no line is given twice. Several gateways may write at once, each to segments of its
    own: a list may be in one and the click on it in another.

    Attributes:
        bad_lines: lines so far that could not be read.
        found: whether the folder was there at the last read.

    Args:
        folder: the log's folder.
        since: lines received before, in unix seconds, are left out.
    """

    def __init__(self, folder: Path, since: float = float("-inf")) -> None:
        self.folder = folder
        self.since = since
        self.bad_lines = 0
        self.found = False
        self._segments: dict[str, _Segment] = {}

    def read(self) -> Iterator[LogLine]:
        """Yields the finished lines that no earlier call has yielded, in the order of `received`.

        Of lines that were received at once, lists come first. What is written meanwhile is left to
        the next call. It looks ahead, so it should be read to its end.
        """
        self.found = self.folder.is_dir()
        paths = sorted(self.folder.glob(SEGMENTS)) if self.found else []
        gone = self._segments.keys() - {path.name for path in paths}
        for name in gone:
            del self._segments[name]
        # All ends before the first line: a click that comes meanwhile would be read, but not its
        # list, if the segment of that is at its end already.
        ends = {path: _size(path) for path in paths}
        parts = [(self._first(path), self._read(path, end)) for path, end in ends.items()]
        for _, at_once in itertools.groupby(_merged(parts), key=attrgetter("received")):
            yield from sorted(at_once, key=lambda line: isinstance(line, ShopperEvent))

    def _first(self, path: Path) -> float:
        """Returns a time before which no line of a segment was received that is to be read."""
        known = self._segments.get(path.name)
        if known is not None:
            return known.newest
        try:
            with path.open("rb") as file:
                line = read_line(file.readline())
        except OSError:
            line = None  # removed by the rotation since it was listed
        return float("-inf") if line is None else line.received

    def _read(self, path: Path, end: int) -> Iterator[LogLine]:
        try:
            file = path.open("rb")
        except OSError:
            return  # removed by the rotation since it was listed
        with file:
            status = os.fstat(file.fileno())
            segment = self._segments.setdefault(path.name, _Segment(status.st_ino))
            skip_until = float("-inf")
            if segment.inode != status.st_ino or status.st_size < segment.offset:
                segment.inode, segment.offset = status.st_ino, 0
                skip_until = segment.newest
            file.seek(segment.offset)
            for line in file:
                if not line.endswith(b"\n") or segment.offset + len(line) > end:
                    break  # still being written, or written since
                segment.offset += len(line)
                parsed = read_line(line)
                if parsed is None:
                    self.bad_lines += 1
                    continue
                if parsed.received <= skip_until:
                    continue
                segment.newest = max(segment.newest, parsed.received)
                if parsed.received >= self.since:
                    yield parsed


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # removed by the rotation since it was listed


def _merged(parts: Iterable[tuple[float, Iterator[LogLine]]]) -> Iterator[LogLine]:
    """Yields the lines of parts, each of which is in the order of `received`, in that order.

    Args:
        parts: each with a time before which it has no line, and not begun before that: a log may
            have more segments than a process may have open files.
    """
    waiting = sorted(parts, key=itemgetter(0), reverse=True)
    heads: list[tuple[float, int, LogLine, Iterator[LogLine]]] = []
    for number in itertools.count():
        if waiting and (not heads or waiting[-1][0] <= heads[0][0]):
            _, part = waiting.pop()
        elif heads:
            *_, line, part = heapq.heappop(heads)
            yield line
        else:
            return
        if (head := next(part, None)) is not None:
            heapq.heappush(heads, (head.received, number, head, part))
