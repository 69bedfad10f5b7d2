"""The result of evaluating one model, and the difference between two."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfrec.evaluation.bootstrap import bootstrap_interval
from tfrec.evaluation.metrics import mrr, ndcg, recall

ACCURACY_METRICS = {"recall": recall, "ndcg": ndcg, "mrr": mrr}


@dataclass(frozen=True)
class SliceResult:
    """Accuracy on a part of the cases or of the targets.

    Attributes:
        cases: shoppers in the slice.
        metrics: means over these shoppers; empty without shoppers.
        intervals: 95 % bootstrap intervals of `metrics`.
    """

    cases: int
    metrics: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """The mean difference between two models over the same shoppers, with its interval."""

    mean: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the 95 % interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Result:
    """Everything measured of one model.

    Attributes:
        name: the model.
        split: the split evaluated.
        repeats: ``"count"`` or ``"exclude"``.
        cases: shoppers evaluated.
        dropped: shoppers without a target.
        indices: int64 `[cases]`, positions of the shoppers in the split.
        ranks: int64 `[targets]`, the rank of every target as `metrics.target_ranks` defines it.
        metrics: ``"recall@10"`` and so on, means over shoppers; coverage, novelty (bits),
            diversity and Gini of the lists.
        intervals: 95 % bootstrap intervals of the accuracy metrics.
        per_case: float64 `[cases]` for every accuracy metric.
        slices: by name of the slice, such as ``"history 3-5"``.
        seconds: wall time of scoring and ranking.
        bootstrap_samples: resamples behind every interval.
        seed: seed of the resampling.
    """

    name: str
    split: str
    repeats: str
    cases: int
    dropped: int
    indices: np.ndarray
    ranks: np.ndarray
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    per_case: dict[str, np.ndarray]
    slices: dict[str, SliceResult]
    seconds: float
    bootstrap_samples: int
    seed: int

    def with_figures(self, figures: dict[str, float]) -> "Result":
        """Returns a copy with further figures, such as the ranking model's AUC by event type."""
        return dataclasses.replace(self, metrics={**self.metrics, **figures})

    def minus(self, other: "Result") -> dict[str, Difference]:
        """Returns how much better this model is than `other`, for every accuracy metric.

        The interval is the bootstrap interval of the per-shopper differences (paired), which
        is narrower than the two models' own intervals suggest.

        Raises:
            ValueError: if the two were not measured on the same shoppers and metrics.
        """
        if (
            (self.split, self.repeats) != (other.split, other.repeats)
            or list(self.per_case) != list(other.per_case)
            or not np.array_equal(self.indices, other.indices)
        ):
            raise ValueError(
                f"`{self.name}` and `{other.name}` should be measured on the same shoppers with "
                f"the same cutoffs. Received: {self.cases} and {other.cases} shoppers of "
                f"{self.split}/{self.repeats} and {other.split}/{other.repeats}"
            )
        names = list(self.per_case)
        values = np.stack([self.per_case[n] - other.per_case[n] for n in names], axis=1)
        low, high = bootstrap_interval(values, samples=self.bootstrap_samples, seed=self.seed)
        return {
            n: Difference(float(m), float(a), float(b))
            for n, m, a, b in zip(names, values.mean(axis=0), low, high, strict=True)
        }

    def to_json(self) -> dict[str, Any]:
        """Returns plain values: every metric with its ``_low`` and ``_high``, then the slices.

        Metrics that are undefined (NaN) become None.
        """
        return {
            **_flat(self.metrics, self.intervals),
            "cases": self.cases,
            "dropped": self.dropped,
            "split": self.split,
            "repeats": self.repeats,
            "slices": {
                name: {**_flat(part.metrics, part.intervals), "cases": part.cases}
                for name, part in self.slices.items()
            },
        }


def accuracy(ranks: np.ndarray, offsets: np.ndarray, cutoffs: list[int]) -> dict[str, np.ndarray]:
    """Returns recall, NDCG and MRR of every case at every cutoff: float64 `[num_cases]` each."""
    return {
        f"{name}@{k}": metric(ranks, offsets, k)
        for name, metric in ACCURACY_METRICS.items()
        for k in sorted(set(cutoffs))
    }


def summarise(
    per_case: dict[str, np.ndarray], *, samples: int, seed: int
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Returns the means of per-case metrics, and their bootstrap intervals."""
    values = np.stack(list(per_case.values()), axis=1)
    low, high = bootstrap_interval(values, samples=samples, seed=seed)
    means = {name: float(mean) for name, mean in zip(per_case, values.mean(axis=0), strict=True)}
    intervals = {name: (float(a), float(b)) for name, a, b in zip(per_case, low, high, strict=True)}
    return means, intervals


def _flat(
    metrics: dict[str, float], intervals: dict[str, tuple[float, float]]
) -> dict[str, float | None]:
    flat: dict[str, float | None] = {}
    for name, value in metrics.items():
        flat[name] = None if math.isnan(value) else value
        if name in intervals:
            flat[f"{name}_low"], flat[f"{name}_high"] = intervals[name]
    return flat
