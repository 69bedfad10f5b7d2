"""Updates from a source as events arrive: micro-batches by count or age, each taken in once."""

import contextlib
import glob
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tfrec.errors import BusyError, UserError
from tfrec.files import atomic_folder, only_one
from tfrec.updating.sources.source import LINES, Origin, Piece, Position, Source
from tfrec.updating.state import UpdateState
from tfrec.updating.update import Updated

FOLDER, BATCH, LOCK = "following", "batch", ".lock"
WAIT_SECONDS = 1.0
BUSY_SECONDS = 5.0
MOST_REFUSED = 3
"""So many refused batches one after the other are no accident, and end the following."""


class Stopped(BaseException):
    """Ends an update in the middle; nothing in an update may catch it."""


class Stop:
    """A wish to stop. Set by a signal handler, it breaks off an update that is at work.

    Breaking off is safe: every step of an update appears whole or not at all.
    """

    def __init__(self) -> None:
        self.asked = False
        self._breaks_off = False

    def ask(self, *_: object) -> None:
        """Asks to stop; fits as a signal handler.

        Raises:
            Stopped: inside `breaking_off`.
        """
        self.asked = True
        if self._breaks_off:
            self._breaks_off = False
            raise Stopped

    @contextlib.contextmanager
    def breaking_off(self) -> Iterator[None]:
        """While the block is at work, `ask` raises `Stopped` in it."""
        self._breaks_off = True
        try:
            yield
        finally:
            self._breaks_off = False


@dataclass
class MicroBatch:
    """Pieces of a source that wait for an update.

    Attributes:
        before: how far the source was read before them.
        after: how far with them.
        pieces: files or lines, all of one kind.
        events: how many rows they are.
        began: when the first came.
    """

    before: Position
    after: Position = field(init=False)
    pieces: list[Piece] = field(default_factory=list)
    events: int = 0
    began: float = 0.0

    def __post_init__(self) -> None:
        self.after = self.before

    def fits(self, piece: Piece) -> bool:
        """Whether a piece can be read together with those that wait."""
        return not self.pieces or self.pieces[0].kind == piece.kind

    def add(self, piece: Piece, now: float) -> None:
        """Adds a piece; one without events only moves the position."""
        self.after = piece.position
        if piece.events:
            self.began = self.began if self.pieces else now
            self.pieces.append(piece)
            self.events += piece.events

    def is_due(self, now: float, most: int, seconds: float) -> bool:
        """Whether it is large or old enough."""
        return bool(self.pieces) and (self.events >= most or now - self.began >= seconds)

    def write(self, folder: Path) -> str:
        """Writes it into a folder, and returns the glob of its files."""
        with atomic_folder(folder) as temporary:
            if self.pieces[0].kind == LINES:
                joined = b"".join(piece.lines for piece in self.pieces)
                (temporary / f"events{LINES}").write_bytes(joined)
            for piece in self.pieces:
                if piece.path is not None:
                    (temporary / piece.path.name).symlink_to(piece.path)
        return f"{glob.escape(str(folder))}/*"


@dataclass(frozen=True)
class Limits:
    """When a micro-batch is taken in.

    Attributes:
        events: once it has so many.
        seconds: or once its oldest event has waited so long.
    """

    events: int
    seconds: float


class Follower:
    """Reads a source and hands micro-batches to updates.

    The position is in the ledger, in one piece with what was made of the events before it. So
    events that were read and not yet taken in when the process ends are read again, and no event
    is taken in twice.

    Args:
        source: where events arrive.
        state: the state folder; its ledger has begun.
        take: gives a batch to `update`, with the glob of its files and its origin.
        limits: when a batch is taken in.
        stop: asked for from outside.
        on_read: told how many events came, and how many wait now.
        on_batch: told what became of a batch.
        on_wait: told, once, why a batch has to wait.
    """

    def __init__(
        self,
        source: Source,
        state: str | Path,
        take: Callable[[str, Origin], Updated],
        limits: Limits,
        stop: Stop,
        *,
        on_read: Callable[[int, int], None] = lambda read, waiting: None,
        on_batch: Callable[[Updated], None] = lambda updated: None,
        on_wait: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._source = source
        self._home = UpdateState(state)
        self._take = take
        self._limits = limits
        self._stop = stop
        self._on_read = on_read
        self._on_batch = on_batch
        self._on_wait = on_wait
        self._refused = 0

    def run(
        self,
        *,
        once: bool = False,
        from_start: bool = False,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Follows until it is stopped.

        Args:
            once: end when nothing more is there; what waits is taken in.
            from_start: begin with the oldest event there, whatever the ledger says.
            check: called again and again; what it raises ends the following.

        Raises:
            UserError: if the source, the models or the state cannot be used, or another process
                follows with this state.
        """
        busy = (
            f"another `tfrec update --follow` is at work in {self._home.folder}; stop it, or "
            "name another --state"
        )
        with only_one(self._home.folder / FOLDER / LOCK, busy), contextlib.suppress(Stopped):
            position = {} if from_start else self._home.position(self._source.name)
            waiting = MicroBatch(position)
            while not self._stop.asked:
                check()
                room = max(1, self._limits.events - waiting.events)
                piece = self._source.read(waiting.after, room, 0.0 if once else WAIT_SECONDS)
                if piece is not None and not waiting.fits(piece):
                    waiting = self._take_in(waiting)
                if piece is not None:
                    waiting.add(piece, time.monotonic())
                    self._on_read(piece.events, waiting.events)
                ended = once and piece is None
                if waiting.is_due(
                    time.monotonic(), self._limits.events, 0.0 if ended else self._limits.seconds
                ):
                    waiting = self._take_in(waiting)
                if ended:
                    return

    def _take_in(self, waiting: MicroBatch) -> MicroBatch:
        """Updates with what waits, and returns the empty batch behind it."""
        files = waiting.write(self._home.folder / FOLDER / BATCH)
        origin = Origin(self._source.name, waiting.before, waiting.after)
        told = False
        while True:
            try:
                with self._stop.breaking_off():
                    updated = self._take(files, origin)
                break
            except BusyError as error:
                if not told:
                    self._on_wait(str(error))
                told = True
                self._pause(BUSY_SECONDS)
        self._on_batch(updated)
        self._on_read(0, 0)
        self._refused = self._refused + 1 if updated.entry.outcome == "refused" else 0
        if self._refused >= MOST_REFUSED:
            raise UserError(
                f"{MOST_REFUSED} batches of the {self._source.name} in a row were refused, the "
                f"last because {updated.entry.reason}; they are kept in "
                f"{self._home.refused(updated.entry.generation).parent}: mend the cause, and take "
                "them in with --events"
            )
        return MicroBatch(waiting.after)

    def _pause(self, seconds: float) -> None:
        """Waits.

        Raises:
            Stopped: if it is asked for meanwhile.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._stop.asked:
                raise Stopped
            time.sleep(min(WAIT_SECONDS, seconds))
