"""How the items in live traffic differ from those of a reference, and what moved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tfrec.monitoring.drift.item_profile import POPULARITY_GROUPS, ItemProfile
from tfrec.monitoring.drift.statistics import (
    centroid_shift,
    jensen_shannon_distance,
    kolmogorov_smirnov,
    ks_of_samples,
    population_stability_index,
)

# A feature's first statistic is the one that is compared with its usual level.
# Below these levels a shift is of no consequence, however calm the reference was.
FLOORS = {"psi": 0.1, "ks": 0.1, "shift": 0.1}
_MOVED = 3


@dataclass(frozen=True)
class Shift:
    """How one feature differs.

    Attributes:
        statistics: by name (`psi`, `js`, `ks`, `shift`); the first is the main one.
        moved: what moved, and by how much, in words.
    """

    statistics: dict[str, float]
    moved: str

    @property
    def main(self) -> tuple[str, float]:
        """Name and value of the main statistic."""
        return next(iter(self.statistics.items()))


def item_shifts(profile: ItemProfile, reference: np.ndarray, live: np.ndarray) -> dict[str, Shift]:
    """Compares which items two streams are about.

    Args:
        profile: the items.
        reference: how often each item stands in the reference, int `[n]`.
        live: how often in the live traffic, int `[n]`.

    Returns:
        Shifts of `topic`, `price` and `centroid` (of the items' vectors); and of `item` (the most
        popular ones each, the others together) and `popularity`, both among the items that the
        reference has: a share that was zero would outweigh all else in them. Of a vector column
        such as `image_embedding` also `image_embedding_centroid`, among the items that have a
        vector, and `image_embedding_present`, how many events are about these.
    """
    head = profile.head
    old = np.where(reference > 0, live, 0)
    titles = [*profile.titles[np.argsort(-profile.events, kind="stable")][: head.max(initial=0)]]
    shifts = {
        "item": _of_groups(head, [*titles, "all other items"], reference, old),
        "topic": _of_groups(profile.topic, profile.topics, reference, live),
        "popularity": _of_groups(profile.popularity, POPULARITY_GROUPS, reference, old),
        "centroid": Shift(
            {"shift": centroid_shift(profile.vectors, reference, live)},
            _moved(profile.titles, reference, live),
        ),
    }
    if np.isfinite(profile.prices).any():
        shifts["price"] = Shift(
            {"ks": kolmogorov_smirnov(profile.prices, reference, live)},
            "median price {:.2f} → {:.2f}".format(
                *(_median(profile.prices, counts) for counts in (reference, live))
            ),
        )
    for column, values in profile.columns.items():
        has = values.any(axis=1)
        shifts[f"{column}_centroid"] = Shift(
            {"shift": centroid_shift(values, reference * has, live * has)},
            _moved(profile.titles, reference * has, live * has),
        )
        if not has.all():
            names = (f"without {column}", f"with {column}")
            shifts[f"{column}_present"] = _of_groups(has.astype(int), names, reference, live)
    return shifts


def category_shift(reference: dict[str, int], live: dict[str, int]) -> Shift:
    """Compares counts by category; categories that the reference does not know are left out."""
    names = list(reference)
    return _of_groups(
        np.arange(len(names)),
        names,
        np.array([reference[name] for name in names]),
        np.array([live.get(name, 0) for name in names]),
    )


def sample_shift(reference: np.ndarray, live: np.ndarray) -> Shift:
    """Compares two samples of numbers."""
    medians = [np.median(values) if len(values) else np.nan for values in (reference, live)]
    return Shift({"ks": ks_of_samples(reference, live)}, "median {:.4g} → {:.4g}".format(*medians))


def usual_levels(
    windows: Sequence[np.ndarray], shifts_of: Callable[[np.ndarray, np.ndarray], dict[str, Shift]]
) -> dict[str, float]:
    """Returns the highest level that each feature's main statistic has in an ordinary window.

    Every window of the reference is compared with all the others together, as live traffic will
    be with the whole. What the seasons and the size of the windows do to the statistics is in
    these levels, which thresholds from a textbook know nothing of.

    Args:
        windows: counts of the windows, arrays of one shape.
        shifts_of: compares a reference with a window.
    """
    total = np.sum(windows, axis=0)
    levels: dict[str, float] = {}
    for window in windows:
        for feature, shift in shifts_of(total - window, window).items():
            value = shift.main[1]
            if np.isfinite(value):
                levels[feature] = max(levels.get(feature, 0.0), value)
    return levels


def times_usual(shift: Shift, level: float | None) -> float:
    """Returns the main statistic in units of its usual level, or of its floor if that is more."""
    name, value = shift.main
    return value / max(FLOORS[name], level or 0.0)


def _of_groups(
    group: np.ndarray, names: Sequence[str], reference: np.ndarray, live: np.ndarray
) -> Shift:
    p, q = (np.bincount(group, counts, minlength=len(names)) for counts in (reference, live))
    return Shift(
        {"psi": population_stability_index(p, q), "js": jensen_shannon_distance(p, q)},
        _moved(names, p, q),
    )


def _moved(names: Sequence[str] | np.ndarray, reference: np.ndarray, live: np.ndarray) -> str:
    p, q = (counts / max(1, counts.sum()) for counts in (reference, live))
    most = np.argsort(-np.abs(q - p), kind="stable")[:_MOVED]
    return ", ".join(
        f"{names[place]} {_percent(p[place])} → {_percent(q[place])}" for place in most
    )


def _percent(share: float) -> str:
    # With two digits, all would be 1e+02 %.
    return f"{100 * share:.0f} %" if share >= 0.995 else f"{100 * share:.2g} %"


def _median(values: np.ndarray, counts: np.ndarray) -> float:
    order = np.argsort(values, kind="stable")  # NaN come last
    order = order[np.isfinite(values[order])]
    cumulative = np.cumsum(counts[order])
    if not len(order) or not cumulative[-1]:
        return float("nan")
    return float(values[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
