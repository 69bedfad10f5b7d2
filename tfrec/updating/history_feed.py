"""Hands the events of a source to the shoppers' histories at once; updates take their time."""

import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfrec.config import DataConfig
from tfrec.data.adapters import find_adapter
from tfrec.data.events import type_events
from tfrec.data.timestamps import now
from tfrec.errors import UserError
from tfrec.files import read_json, write_json
from tfrec.progress import without_bars, write_line
from tfrec.updating.sources.source import Piece, Source

POSITIONS = "history.json"
MOST_EVENTS = 1000
WAIT_SECONDS = 1.0
STOP_SECONDS = 0.2
AGAIN_SECONDS = 5.0


@dataclass(frozen=True)
class KeptEvent:
    """An event as a history keeps it.

    Attributes:
        user_id: the shop's own id.
        item_id: likewise.
        event: its name.
        time: in unix seconds.
    """

    user_id: str
    item_id: str
    event: str
    time: float


class HistoryAwayError(Exception):
    """The histories cannot be written just now, and may be in a moment; says why."""


def kept_events(piece: Piece, config: DataConfig) -> list[KeptEvent]:
    """Returns the usable events of a piece, read as an update reads them.

    Args:
        piece: of a source.
        config: names the adapter and what is accepted.

    Raises:
        UserError: if the piece as a whole cannot be read.
    """
    adapter = find_adapter(config.adapter)
    with tempfile.TemporaryDirectory(prefix="tfrec-") as folder, without_bars():
        path = piece.path
        if path is None:
            path = Path(folder) / f"events{piece.kind}"
            path.write_bytes(piece.lines)
        table = adapter.events(path)
        typed = type_events(table, config, now=now(), timestamp_unit=adapter.timestamp_unit)
    kept = typed.frame[table.kept]
    seconds = kept["timestamp"].to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6
    columns = [kept[name].tolist() for name in ("user_id", "item_id", "event")]
    return [KeptEvent(*row) for row in zip(*columns, seconds.tolist(), strict=True)]


class HistoryFeed:
    """A thread that reads a source by a position of its own.

    The position is noted after the events are kept, so a kill in between has some handed over
    again; a history keeps each only once. What was not handed over when the thread ended is handed
    over by the next one.

    Args:
        open_source: makes a source for this thread alone.
        keep: keeps events and returns how many were new; may raise `HistoryAwayError`.
        config: how events are read.
        folder: where the position is noted.
        once: end when nothing more is there.
        stopped: whether it was asked to end before that; asked again and again at the end of the
            block.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        keep: Callable[[Sequence[KeptEvent]], int],
        config: DataConfig,
        folder: Path,
        *,
        once: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._open_source = open_source
        self._keep = keep
        self._config = config
        self._positions = folder / POSITIONS
        self._once = once
        self._stopped = stopped
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._guarded, name="history feed", daemon=True)
        self.kept = 0

    def __enter__(self) -> "HistoryFeed":
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if not self._once or kind is not None:
            self._ended.set()
        while self._thread.is_alive():
            # The histories may be away for longer than anybody wants to wait.
            if self._stopped():
                self._ended.set()
            self._thread.join(STOP_SECONDS)

    def check(self) -> None:
        """Tells whoever waits what ended the thread.

        Raises:
            Exception: what ended it, if anything did.
        """
        if self._error is not None:
            raise self._error

    def _guarded(self) -> None:
        try:
            with self._open_source() as source:
                self._feed(source)
        except Exception as error:  # handed to the thread that checks
            self._error = error

    def _feed(self, source: Source) -> None:
        noted = read_json(self._positions) if self._positions.is_file() else {}
        position = noted.get(source.name, {})
        while not self._ended.is_set():
            piece = source.read(position, MOST_EVENTS, 0.0 if self._once else WAIT_SECONDS)
            if piece is None:
                if self._once:
                    return
                continue
            if not self._hand_over(piece):
                return
            position = piece.position
            write_json(self._positions, {**noted, source.name: position})

    def _hand_over(self, piece: Piece) -> bool:
        """Keeps the events of a piece; False if the feed was ended before that was possible."""
        try:
            events = kept_events(piece, self._config) if piece.events else []
        except UserError as error:
            # An update refuses them, and keeps them with the reason.
            write_line(f"Histories: {error}; the events are passed over.")
            return True
        told = False
        while not self._ended.is_set():
            try:
                self.kept += self._keep(events) if events else 0
                return True
            except HistoryAwayError as error:
                if not told:
                    write_line(f"Histories: {error}; trying again.")
                told = True
                self._ended.wait(AGAIN_SECONDS)
        return False
