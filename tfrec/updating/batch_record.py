"""What is known of a batch that was taken in, as its folder keeps it."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfrec.data.readers import resolve
from tfrec.files import read_json, sha256_of_file
from tfrec.updating.sources.source import Position

RECORD, POSITION = "batch.json", "position.json"


@dataclass(frozen=True)
class BatchRecord:
    """What is known of a batch that was taken in.

    Attributes:
        content: `content_of` the files.
        events: names of the files with events.
        items: names of those with products.
        rows_in: rows of the files with events.
        accepted: rows among them that joined the log.
        rejected: the others by reason.
        late: accepted events from before the end of the log as it was.
        first: time of the first accepted event, or None.
        last: that of the last one.
        items_in: rows of the files with products.
        items_rejected: those that cannot be used, by reason.
        items_new: products that were not known.
        items_changed: known ones that changed.
        notes: what else the user should know.
        source: the part of a followed source that it is, or None.
    """

    content: str
    events: list[str]
    items: list[str]
    rows_in: int
    accepted: int
    rejected: dict[str, int]
    late: int
    first: str | None
    last: str | None
    items_in: int
    items_rejected: dict[str, int]
    items_new: int
    items_changed: int
    notes: list[str]
    source: dict[str, Any] | None = None

    @classmethod
    def open(cls, folder: Path) -> "BatchRecord":
        """Reads the record of a batch's folder."""
        return cls(**read_json(folder / RECORD))

    @property
    def changes_something(self) -> bool:
        """Whether anything in it is new."""
        return bool(self.accepted or self.items_new or self.items_changed)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return asdict(self)


def position_of(folder: Path) -> dict[str, Position]:
    """Returns how far a source is read with the batch in a folder, by the source's name.

    It is written together with the batch, so neither can be there without the other. Empty for a
    batch that comes from no followed source.
    """
    path = folder / POSITION
    return read_json(path) if path.is_file() else {}


def content_of(events: str | Path, items: str | Path | None) -> str:
    """Returns SHA-256 over the content of the files, whatever their names and order.

    Raises:
        UserError: if there is no such file.
    """
    digest = hashlib.sha256()
    for role, source in (("events", events), ("items", items)):
        if source is not None:
            sums = sorted(sha256_of_file(path) for path in resolve(source, role))
            digest.update(f"{role} {' '.join(sums)}\n".encode())
    return digest.hexdigest()
