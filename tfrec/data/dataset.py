"""A prepared data set, opened for reading."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from rich.table import Table
from rich.text import Text

from tfrec.data.history_files import read_histories
from tfrec.data.manifest import Manifest, check_files, read_manifest
from tfrec.data.records import Histories
from tfrec.data.summary import summary
from tfrec.display import Displayed
from tfrec.errors import UserError
from tfrec.files import read_json

ITEMS = "items.parquet"
VOCABULARIES = "vocabularies.json"
VALUES_SUFFIX = "__values"
KEPT_BYTES = 2**30
"""Histories that an open data set keeps in memory: some 20 million events."""


@dataclass(frozen=True)
class CategoryTable:
    """The values of a categorical column of the catalogue.

    Attributes:
        vocabulary: the values; position 0 is padding ("").
        values: int32 `[N+1, M]`, positions in `vocabulary` by item index, padded with 0.
    """

    vocabulary: list[str]
    values: np.ndarray


class PreparedDataset(Displayed):
    """A folder that `tfrec data prepare` wrote.

    Example:
        >>> dataset = PreparedDataset.open("data")           # doctest: +SKIP
        >>> dataset.histories("train").lengths.mean()        # doctest: +SKIP
    """

    def __init__(self, path: Path, manifest: Manifest):
        self.path = path
        self.manifest = manifest
        self._histories: dict[str, Histories] = {}

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = False) -> "PreparedDataset":
        """Opens the data set in the folder `path`.

        Args:
            path: the folder.
            verify: whether to compare the checksums of all files, not only their sizes.

        Raises:
            UserError: if it is missing, half-copied, damaged or of another version.
        """
        path = Path(path)
        manifest = read_manifest(path)
        check_files(path, manifest, verify=verify)
        return cls(path, manifest)

    def renderables(self) -> list[Table | Text]:
        """Returns the tables of the summary, as the preparation prints them."""
        return summary(self.manifest)

    @cached_property
    def items(self) -> pd.DataFrame:
        """The item table; row `r` is the item of index `r + 1`.

        Raises:
            UserError: if the file may not be read or is damaged.
        """
        path = self.path / ITEMS
        try:
            return pd.read_parquet(path)
        except (OSError, pa.ArrowException) as error:
            raise UserError(
                f"{path} is damaged or may not be read; copy the data set again or prepare it again"
            ) from error

    @property
    def num_items(self) -> int:
        """N; item indices are 1..N."""
        return self.manifest.num_items

    @property
    def event_types(self) -> list[str]:
        """Event names; event index `e` is name `e - 1`."""
        return self.manifest.event_types

    @property
    def target_events(self) -> list[str]:
        """Event names that count as a hit."""
        return self.manifest.target_events

    @property
    def target_event_indices(self) -> list[int]:
        """Event indices (from 1) that count as a hit."""
        return [self.event_types.index(name) + 1 for name in self.target_events]

    @property
    def context_columns(self) -> list[str]:
        """Event columns that are known when asking, in the order of the configuration."""
        return list(self.manifest.context_vocabularies)

    @property
    def categorical_columns(self) -> list[str]:
        """Catalogue columns read as categories, in the order of the configuration."""
        return list(self.manifest.categorical_columns)

    @property
    def return_event_index(self) -> int | None:
        """Event index of returns, or None where the log has none."""
        name = self.manifest.config.return_event
        return self.event_types.index(name) + 1 if name in self.event_types else None

    @property
    def checksum(self) -> str:
        """SHA-256 over the checksums of all files: identifies the content."""
        return self.manifest.checksum

    def files(self, split: str) -> list[str]:
        """Returns the sorted TFRecord paths of a split.

        Raises:
            UserError: if there is no such split; the message names those that are.
        """
        if split not in self.manifest.splits:
            valid = ", ".join(self.manifest.splits)
            raise UserError(f"there is no split {split!r}; choose one of {valid}")
        prefix = f"{split}/"
        return [
            str(self.path / name) for name in sorted(self.manifest.files) if name.startswith(prefix)
        ]

    def histories(self, split: str) -> Histories:
        """Reads all shoppers of a split into memory, in record order.

        The arrays are read-only and shared: as long as the splits together are no larger than
        `KEPT_BYTES`, they are read from disk once.

        Raises:
            UserError: if there is no such split, or a file of it is damaged.
        """
        kept = self._histories.get(split)
        if kept is not None:
            return kept
        histories = read_histories(
            self.files(split),
            context=self.context_columns,
            targets=split != "train",
        )
        histories.freeze()
        already = sum(other.nbytes for other in self._histories.values())
        if already + histories.nbytes <= KEPT_BYTES:
            self._histories[split] = histories
        return histories

    def log_before(self, split: str) -> Histories:
        """Returns every shopper's events before the period of a split.

        What is counted from the log, such as popularity, may know that much when the split is
        predicted: a shop knows it too. A leave-one-out split has no period, as each shopper has a
        last event of his own; there it is the train split for both, as in published figures.

        Args:
            split: `valid` or `test`.
        """
        if split not in ("valid", "test"):
            raise ValueError(f"`split` should be 'valid' or 'test'. Received: split={split!r}")
        train = self.histories("train")
        if split == "valid" or self.manifest.config.split == "leave_one_out":
            return train
        return train.followed_by_targets(self.histories("valid"))

    def whole_log(self) -> Histories:
        """Returns every shopper's events, those of the last period included, without context."""
        log = self.histories("train")
        for split in ("valid", "test"):
            log = log.followed_by_targets(self.histories(split))
        return log

    def period_start(self, split: str) -> int | None:
        """Returns the unix time at which the period of a split begins; None where it has none.

        A split has a period if it is temporal and the log has times.

        Args:
            split: `valid` or `test`.
        """
        times = self.histories(split).target_timestamp
        if self.manifest.config.split != "temporal" or not times.any():
            return None
        return int(times.min())

    def logged_events(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns item, event and timestamp of every event of the log, each once.

        Shopper by shopper and split by split: item and event indices from 1, and unix seconds
        (0 where the log has no times), each `[events]`.
        """
        train = self.histories("train")
        parts = [(train.item, train.event, train.timestamp)]
        for split in ("valid", "test"):
            later = self.histories(split)
            parts.append((later.target_item, later.target_event, later.target_timestamp))
        item, event, timestamp = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return item, event, timestamp

    def item_index(self) -> dict[str, int]:
        """Returns the item index (from 1) of every item id."""
        return {item: i for i, item in enumerate(self.items["item_id"], start=1)}

    def categories(self, column: str) -> CategoryTable:
        """Returns the values of a categorical column of the catalogue.

        Raises:
            UserError: if the data set was prepared without that column.
        """
        if column not in self.manifest.categorical_columns:
            known = ", ".join(self.manifest.categorical_columns) or "none"
            raise UserError(
                f"the data set {self.path} has no categorical column `{column}` (it has: {known}); "
                "add it to data.categorical_columns and prepare the data set again"
            )
        vocabulary = ["", *read_json(self.path / VOCABULARIES)["categories"][column]]
        rows = self.items[f"{column}{VALUES_SUFFIX}"]
        lengths = rows.map(len).to_numpy()
        values = np.zeros((self.num_items + 1, max(1, int(lengths.max(initial=0)))), np.int32)
        if lengths.sum():
            flat = np.concatenate([np.asarray(row, dtype=object) for row in rows])
            owner = np.repeat(np.arange(1, self.num_items + 1), lengths)
            starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
            values[owner, np.arange(len(flat)) - starts] = pd.Index(vocabulary).get_indexer(flat)
        return CategoryTable(vocabulary, values)
