"""Candidate lists: what the ranking model is trained and judged on."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow as tf

from tfrec.data.records import Histories
from tfrec.files import atomic_folder

SHOPPERS_A_BATCH = 256


@dataclass(frozen=True)
class CandidateLists:
    """Candidates with features and labels, one list a shopper and mode, or two with arrivals.

    Attributes:
        items: int32 `[lists, num_candidates]`, item indices, 0 for padding.
        shopper: int64 `[lists]`, position among the histories that the lists were made for.
        excluding: bool `[lists]`, whether items of the history were no candidates.
        features: float32 `[lists, num_candidates, num_features]`.
        present: float32 `[lists, num_candidates]`, 0 for padding.
        retrieved: float32 `[lists, num_candidates]`, 0 for the popularity-sampled negatives.
        labels: float32 `[lists, num_candidates]` an event type.
        targets: int64 `[lists]`, number of the shopper's targets, retrieved or not.
        sales: float32 `[lists, num_candidates]`, those that are known of each candidate.
        new_targets: int64 `[lists]`, how many of the targets are pretended to be new.
        examination: float32 `[lists, num_candidates]` in (0, 1], chance that a candidate was looked
            at on a list that was shown; None where all count alike.
    """

    FORMAT: ClassVar = 3
    """Number of the files' format, for what a killed training of another version left."""

    items: np.ndarray
    shopper: np.ndarray
    excluding: np.ndarray
    features: np.ndarray
    present: np.ndarray
    retrieved: np.ndarray
    labels: dict[str, np.ndarray]
    targets: np.ndarray
    sales: np.ndarray
    new_targets: np.ndarray
    examination: np.ndarray | None = None

    def save(self, folder: Path) -> None:
        """Writes the arrays into `folder`, atomically."""
        with atomic_folder(folder) as temporary:
            labels = {f"label-{event}": values for event, values in self.labels.items()}
            for name, values in (self._arrays() | labels).items():
                np.save(temporary / f"{name}.npy", values)

    @classmethod
    def load(cls, folder: Path, events: list[str]) -> "CandidateLists":
        """Reads what `save` wrote."""
        paths = {
            field.name: folder / f"{field.name}.npy"
            for field in fields(cls)
            if field.name != "labels"
        }
        if not paths["examination"].exists():
            del paths["examination"]
        return cls(
            **{name: np.load(path) for name, path in paths.items()},
            labels={event: np.load(folder / f"label-{event}.npy") for event in events},
        )

    def select(self, rows: np.ndarray) -> "CandidateLists":
        """Returns some of the lists.

        Args:
            rows: int64 `[rows]`, positions of lists.
        """
        picked = {name: values[rows] for name, values in self._arrays().items()}
        labels = {event: values[rows] for event, values in self.labels.items()}
        return replace(self, **picked, labels=labels)

    @classmethod
    def joined(cls, parts: "list[CandidateLists]") -> "CandidateLists":
        """Returns the lists of all parts, the shorter ones padded."""
        if len(parts) == 1:
            return parts[0]
        width = max(part.items.shape[1] for part in parts)
        examined = any(part.examination is not None for part in parts)

        def join(values: list[np.ndarray]) -> np.ndarray:
            return np.concatenate([_widened(part, width) for part in values])

        names = parts[0]._arrays().keys() - {"examination"}
        return cls(
            **{name: join([getattr(part, name) for part in parts]) for name in names},
            labels={
                event: join([part.labels[event] for part in parts]) for event in parts[0].labels
            },
            examination=np.concatenate([part._looks(width) for part in parts])
            if examined
            else None,
        )

    def _looks(self, width: int) -> np.ndarray:
        if self.examination is None:
            return np.ones((len(self.items), width), np.float32)
        return _widened(self.examination, width, 1.0)

    def _arrays(self) -> dict[str, np.ndarray]:
        """Returns everything but the labels, by name."""
        return {
            name: values for name, values in vars(self).items() if isinstance(values, np.ndarray)
        }


def _widened(values: np.ndarray, width: int, fill: float = 0.0) -> np.ndarray:
    if values.ndim == 1:  # One value a list, not one a candidate.
        return values
    missing = [(0, 0)] * values.ndim
    missing[1] = (0, width - values.shape[1])
    return np.pad(values, missing, constant_values=fill)


def holdout_shoppers(histories: Histories, share: float) -> np.ndarray:
    """Returns bool `[shoppers]`: the validation shoppers that the ranking model never trains on.

    A shopper's hash decides, so the choice is the same for every run on the data.
    """
    numbers = np.array([int(user[:8], 16) for user in histories.user], dtype=np.float64)
    return numbers / 2**32 < share


def drawn_shoppers(histories: Histories, most: int, *, seed: int) -> Histories:
    """Returns at most so many shoppers, drawn at random, in their order."""
    if len(histories) <= most:
        return histories
    drawn = np.random.default_rng(seed).permutation(len(histories))[:most]
    return histories.select(np.sort(drawn))


def list_batches(lists: CandidateLists, batch_lists: int, seed: int) -> tf.data.Dataset:
    """Returns shuffled batches for `RankingModel.compute_loss`."""
    tensors = {"features": lists.features, "present": lists.present}
    tensors |= {f"label/{event}": values for event, values in lists.labels.items()}
    if lists.examination is not None:
        tensors["examination"] = lists.examination
    # Eager tensors are captured by reference; from_tensor_slices would copy them into the graph.
    eager = {name: tf.constant(values) for name, values in tensors.items()}
    order = np.random.default_rng(seed).permutation(len(lists.features))
    return (
        tf.data.Dataset.from_tensor_slices(order)
        .batch(batch_lists)
        .map(
            lambda rows: {name: tf.gather(values, rows) for name, values in eager.items()},
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        .prefetch(tf.data.AUTOTUNE)
    )
