"""What is known of every item when a model is exported, so that traffic can be described."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from tfrec.data.vectors import sizes_of_vectors, vector_matrix
from tfrec.monitoring.drift.topics import find_topics

DIMENSIONS = 32
POPULARITY_GROUPS = ("top 20 %", "20 to 50 %", "50 to 80 %", "last 20 %", "without events")
_COLUMN = "vector of "
_POPULARITY_BOUNDS = (0.2, 0.5, 0.8, 1.0)
HEAD_ITEMS = 200


@dataclass(frozen=True)
class ItemProfile:
    """The items of a catalogue, in the order of its table.

    Attributes:
        item_ids: str `[n]`.
        titles: str `[n]`.
        prices: float `[n]`, NaN where not known.
        topic: int `[n]`, position in `topics`.
        topics: names of the topics.
        vectors: float32 `[n, d]`, the first principal components of the items' vectors.
        events: int `[n]`, how often shoppers did something with each in the reference period.
        served: int `[n]`, how often the exported models showed each to the shoppers they were
            tried on; all zero where that is not known.
        columns: float32 `[n, d]` a vector column, such as `image_embedding`: the first principal
            components of the vectors; zeros for items without one.
    """

    item_ids: np.ndarray
    titles: np.ndarray
    prices: np.ndarray
    topic: np.ndarray
    topics: list[str]
    vectors: np.ndarray
    events: np.ndarray
    served: np.ndarray
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        items: pd.DataFrame,
        vectors: np.ndarray,
        events: np.ndarray,
        served: np.ndarray | None = None,
        columns: Iterable[str] = (),
    ) -> "ItemProfile":
        """Describes a catalogue.

        Args:
            items: the item table, with `item_id`, `title` and `price`.
            vectors: float `[n, dimension]`, such as the items' text vectors.
            events: int `[n]`, events of each item in the reference period.
            served: int `[n]`, places that each was shown at.
            columns: vector columns of the table, where items have any.
        """
        vectors = principal_components(vectors, DIMENSIONS)
        topic, topics = find_topics(vectors, items["title"].tolist())
        return cls(
            items["item_id"].to_numpy(object),
            items["title"].to_numpy(object),
            items["price"].to_numpy(np.float64),
            topic,
            topics,
            vectors,
            np.asarray(events, np.int64),
            np.zeros(len(items), np.int64) if served is None else np.asarray(served, np.int64),
            {
                column: _components_of_present(vector_matrix(items, column, size))
                for column, size in sizes_of_vectors(items, columns).items()
            },
        )

    def __len__(self) -> int:
        return len(self.item_ids)

    @cached_property
    def popularity(self) -> np.ndarray:
        """Places in `POPULARITY_GROUPS`, int `[n]`, by the events of the reference period."""
        order = np.argsort(-self.events, kind="stable")
        sold = int(np.count_nonzero(self.events))
        share = np.empty(len(self))
        share[order] = (np.arange(len(self)) + 1) / max(1, sold)
        group = np.searchsorted(_POPULARITY_BOUNDS, share)
        return np.where(self.events > 0, np.minimum(group, 3), len(_POPULARITY_BOUNDS))

    @cached_property
    def head(self) -> np.ndarray:
        """The most popular items each for itself from 0, all others together last: int `[n]`."""
        order = np.argsort(-self.events, kind="stable")[:HEAD_ITEMS]
        place = np.full(len(self), len(order))
        place[order] = np.arange(len(order))
        return place

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    def counts(self, by_item: Mapping[str, int]) -> tuple[np.ndarray, int]:
        """Returns counts int `[n]` of counts by item id, and the count of unknown items."""
        counts, unknown = np.zeros(len(self), np.int64), 0
        for item_id, count in by_item.items():
            row = self._rows.get(item_id)
            if row is None:
                unknown += count
            else:
                counts[row] += count
        return counts, unknown

    def write(self, path: Path) -> None:
        """Writes the profile as a Parquet file."""
        frame = pd.DataFrame(
            {
                "item_id": self.item_ids,
                "title": self.titles,
                "price": self.prices,
                "topic": np.asarray(self.topics, object)[self.topic],
                "topic_number": self.topic,
                "vector": list(self.vectors.astype(np.float32)),
                "events": self.events,
                "served": self.served,
                **{f"{_COLUMN}{name}": list(values) for name, values in self.columns.items()},
            }
        )
        frame.to_parquet(path, index=False)

    @classmethod
    def read(cls, path: Path) -> "ItemProfile":
        """Reads what `write` wrote."""
        frame = pd.read_parquet(path)
        names = frame.drop_duplicates("topic_number").set_index("topic_number")["topic"]
        return cls(
            frame["item_id"].to_numpy(object),
            frame["title"].to_numpy(object),
            frame["price"].to_numpy(np.float64),
            frame["topic_number"].to_numpy(np.int64),
            names.sort_index().tolist(),
            np.stack(frame["vector"].tolist()),
            frame["events"].to_numpy(np.int64),
            frame["served"].to_numpy(np.int64),
            {
                name.removeprefix(_COLUMN): np.stack(frame[name].tolist())
                for name in frame
                if name.startswith(_COLUMN)
            },
        )


def _components_of_present(vectors: np.ndarray) -> np.ndarray:
    """Returns float32 `[n, d]`: components of the vectors that are there, zeros for the others."""
    present = vectors.any(axis=1)
    length = np.linalg.norm(vectors[present], axis=1, keepdims=True)
    found = principal_components(vectors[present] / length, DIMENSIONS)
    components = np.zeros((len(vectors), found.shape[1]), np.float32)
    components[present] = found
    return components


def principal_components(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """Returns float32 `[n, d]`: vectors about their mean, in the directions of most variance."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return (centred @ directions[:, ::-1][:, :dimensions]).astype(np.float32)
