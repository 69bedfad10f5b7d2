"""The manifest of a prepared data set, ``dataset.json``."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tfrec.config.data import DataConfig
from tfrec.errors import UserError
from tfrec.files import read_json, sha256_of_file, write_json

MANIFEST = "dataset.json"
FORMAT_VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Part):
    """Size and content of a file."""

    bytes: int
    sha256: str


class RowCounts(_Part):
    """What became of the rows of one input: `rows_in` = `rows_kept` + `rows_rejected`."""

    rows_in: int
    rows_kept: int
    rows_rejected: int
    rejected: dict[str, int]
    """Rows by reason code."""
    examples: dict[str, str]
    """By reason code, the file and row of the first one."""


class TimestampDecision(_Part):
    """How the timestamp column was read, and why."""

    column: str
    unit: str
    evidence: str
    first: str
    last: str


class SplitSummary(_Part):
    """The size of a split."""

    shoppers: int
    events: int
    """Events of the period: the history in train, the targets in valid and test."""
    target_events: int
    """Those among them of a target type."""
    shards: int
    starts: str | None
    """First instant of the period, or None where a period has no dates."""


class ColumnStatistics(_Part):
    """What a column of the kept rows holds."""

    kind: str
    missing: int
    distinct: int
    minimum: float | None = None
    mean: float | None = None
    maximum: float | None = None


class Manifest(_Part):
    """Everything that is known about a prepared data set."""

    format_version: int
    tfrec_version: str
    config: DataConfig
    """What made it; the salt of the user ids is not written, so a manifest that was read has
    the default one."""
    sources: dict[str, list[str]]
    events: RowCounts
    items: RowCounts
    num_users: int
    num_items: int
    event_types: list[str]
    target_events: list[str]
    event_counts: dict[str, int]
    timestamps: TimestampDecision | None
    context_vocabularies: dict[str, list[str]]
    categorical_columns: list[str]
    splits: dict[str, SplitSummary]
    statistics: dict[str, dict[str, ColumnStatistics]]
    notes: list[str]
    files: dict[str, FileEntry]

    @property
    def checksum(self) -> str:
        """SHA-256 over the checksums of all files: identifies the content."""
        lines = [f"{name} {entry.sha256}\n" for name, entry in sorted(self.files.items())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Writes ``dataset.json`` into `folder`, without the salt of the user ids."""
        content = self.model_dump(mode="json", exclude={"config": {"user_salt"}})
        write_json(folder / MANIFEST, content)


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest of the data set in `folder`.

    Raises:
        UserError: if there is none, or it is half-copied or of another version.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise UserError(f"there is no data set folder {folder}; make it with `tfrec data prepare`")
    if not path.is_file():
        raise UserError(
            f"{folder} is not a prepared data set (it has no {MANIFEST}); make one with "
            "`tfrec data prepare`"
        )
    content = read_json(path)
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path} has format version {version}, this tfrec reads {FORMAT_VERSION}; prepare the "
            "data set again"
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path} is damaged at `{where}` ({first['msg']}); prepare the data set again"
        ) from error


def describe_files(folder: Path) -> dict[str, FileEntry]:
    """Returns size and checksum of every file below `folder`, by relative path."""
    return {
        path.relative_to(folder).as_posix(): FileEntry(
            bytes=path.stat().st_size, sha256=sha256_of_file(path)
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def check_files(folder: Path, manifest: Manifest, *, verify: bool) -> None:
    """Checks that every file is there with its size and, with `verify`, its checksum.

    Raises:
        UserError: naming the first file that is missing or differs.
    """
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise UserError(
                f"{folder} is incomplete: {name} is missing; copy it again or prepare it again"
            )
        size = path.stat().st_size
        if size != entry.bytes:
            raise UserError(
                f"{folder} is damaged: {name} has {size} bytes instead of {entry.bytes}; copy it "
                "again or prepare it again"
            )
        if verify and sha256_of_file(path) != entry.sha256:
            raise UserError(
                f"{folder} is damaged: {name} has another checksum than {MANIFEST} says; copy it "
                "again or prepare it again"
            )
