"""What events are read from as they arrive, and how far it was read."""

import abc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

Position = dict[str, int]
"""How far a source was read: the next byte by file, or the next offset by partition."""
LINES = ".jsonl"


@dataclass(frozen=True)
class Piece:
    """Some events of a source, in its order.

    Attributes:
        position: how far the source is read with them.
        events: how many rows they are.
        kind: what the name of a file with them has to end in.
        lines: JSON lines, each with its line end; empty where there is a path.
        path: a whole file that holds them.
    """

    position: Position
    events: int
    kind: str = LINES
    lines: bytes = field(default=b"", repr=False)
    path: Path | None = None


@dataclass(frozen=True)
class Origin:
    """The part of a source that a batch is.

    Attributes:
        source: the source's name.
        before: how far it was read before the batch.
        after: how far with it.
    """

    source: str
    before: Position
    after: Position

    def to_json(self) -> dict[str, Any]:
        """Returns the part as plain values: what the batch moved, and not the whole position."""
        moved = {name: at for name, at in self.after.items() if self.before.get(name) != at}
        return {
            "source": self.source,
            "from": {name: self.before.get(name, 0) for name in moved},
            "to": moved,
        }


class Source(abc.ABC):
    """Somewhere events arrive and stay for a while.

    A source keeps no position: whoever reads says from where, so that the position can be kept
    together with what was made of the events.

    Attributes:
        name: what positions are kept under.
    """

    name: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abc.abstractmethod
    def read(self, position: Position, most: int, wait: float) -> Piece | None:
        """Returns what comes next, or None if nothing came.

        Args:
            position: from where; empty for the oldest event that is there.
            most: about how many events at most; a whole file is not divided.
            wait: seconds to wait if there is nothing; 0 to return once the end is reached.

        Raises:
            UserError: if the source cannot be read, or no longer has what comes next.
        """

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Lets go of connections."""
