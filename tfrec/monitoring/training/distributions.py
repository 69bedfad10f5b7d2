"""The view of distributions: scores of what was bought beside others, similarities, weights."""

from collections.abc import Callable, Mapping

import numpy as np

from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import View
from tfrec.monitoring.training.observer import TrainingStart, ValidationReport

MOST_VALUES = 10_000
ITEMS_COMPARED = 1_000


class ScoreView(View):
    """Writes how the scores of bought items and of others are distributed.

    Args:
        log: where to write.
        scores: returns float `[count]` by the name of a group of items, such as ``bought``; the
            first group should score higher than the others.
    """

    def __init__(self, log: EventLog, scores: Callable[[], Mapping[str, np.ndarray]]) -> None:
        self._log = log
        self._scores = scores

    def validated(self, report: ValidationReport) -> None:
        """Writes a histogram and a mean a group."""
        for name, values in self._scores().items():
            known = thinned(values[np.isfinite(values)])
            self._log.histogram(f"scores/{name}", known, report.step)
            if len(known):
                self._log.scalar(f"scores/mean_{name}", float(known.mean()), report.step)


class SimilarityView(View):
    """Writes how close items are to each other: a collapsed model has them all in one place.

    Args:
        log: where to write.
        vectors: returns float `[num_items, dimension]`, unit vectors of all items.
        seed: seed of the draw of items that are compared.
    """

    def __init__(self, log: EventLog, vectors: Callable[[], np.ndarray], seed: int) -> None:
        self._log = log
        self._vectors = vectors
        self._seed = seed

    def validated(self, report: ValidationReport) -> None:
        """Writes the cosines of pairs, and of every item with its nearest neighbour."""
        vectors = self._vectors()
        if len(vectors) < 2:
            return
        drawn = np.random.default_rng(self._seed).permutation(len(vectors))[:ITEMS_COMPARED]
        cosines = vectors[drawn] @ vectors[drawn].T
        pairs = cosines[np.triu_indices(len(drawn), k=1)]
        np.fill_diagonal(cosines, -np.inf)
        nearest = cosines.max(axis=1)
        self._log.histogram("similarity/pairs_of_items", thinned(pairs), report.step)
        self._log.histogram("similarity/nearest_item", nearest, report.step)
        self._log.scalar("similarity/mean_of_pairs", float(pairs.mean()), report.step)
        self._log.scalar("similarity/mean_of_nearest", float(nearest.mean()), report.step)


class WeightView(View):
    """Writes how large the weights are: every part's norm, and the rows of embedding tables.

    Args:
        log: where to write.
        tables: returns float `[rows, dimension]` by the name of an embedding table.
    """

    def __init__(self, log: EventLog, tables: Callable[[], Mapping[str, np.ndarray]]) -> None:
        self._log = log
        self._tables = tables
        self._start: TrainingStart | None = None

    def training_started(self, start: TrainingStart) -> None:
        """Keeps the way to the weights."""
        self._start = start

    def validated(self, report: ValidationReport) -> None:
        """Writes ``weight_norm/…`` and ``embedding_norm/…``."""
        assert self._start is not None
        for part, variables in self._start.weights.items():
            squares = sum(float(np.sum(np.square(v.numpy(), dtype=np.float64))) for v in variables)
            self._log.scalar(f"weight_norm/{part}", float(np.sqrt(squares)), report.step)
        for name, table in self._tables().items():
            norms = np.linalg.norm(table, axis=1)
            self._log.histogram(f"embedding_norm/{name}", thinned(norms), report.step)
            self._log.scalar(f"embedding_norm/mean_{name}", float(norms.mean()), report.step)


def thinned(values: np.ndarray) -> np.ndarray:
    """Returns at most about `MOST_VALUES` of the values, evenly spread."""
    return values[:: max(1, len(values) // MOST_VALUES)]
