"""Tunes the baselines on the validation split, so that they are honest opponents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from tfrec.config import EvaluationConfig
from tfrec.data.cooccurrence import ItemKNNSettings
from tfrec.evaluation.baselines import ItemKNN, Popularity, TextKNN
from tfrec.evaluation.baselines.item_knn import ItemKNNFitter
from tfrec.evaluation.cases import Cases
from tfrec.evaluation.metrics import ndcg
from tfrec.evaluation.protocol import Scorer, rank
from tfrec.progress import progress

if TYPE_CHECKING:
    from tqdm import tqdm

    from tfrec.data.dataset import PreparedDataset

ITEM_KNN_OPTIONS: dict[str, Sequence[Any]] = {
    "neighbours": (10, 20, 50, 100, None),
    "length_exponent": (0.0, 0.5, 1.0),
    "shrinkage": (0.0, 5.0, 20.0, 50.0, 100.0),
    "decay": (1.0, 0.995, 0.98, 0.9, 0.8),
}
SELF_WEIGHTS = (1.0, 4.0, 16.0, 64.0)
POPULARITY_OPTIONS: dict[str, Sequence[Any]] = {"days": (None, 7, 30, 90)}
TEXT_KNN_OPTIONS: dict[str, Sequence[Any]] = {"decay": (0.5, 0.7, 0.9, 0.97, 1.0)}

CUTOFF = 20
"""Settings are chosen by NDCG at this cutoff."""

PASSES = 2
"""How often the search goes through all options."""

TUNING_SHOPPERS = 3000
"""At most so many validation shoppers, drawn at random, decide."""


def tuned_baselines(
    dataset: "PreparedDataset",
    config: EvaluationConfig,
    text_vectors: np.ndarray | None = None,
    *,
    before: str = "valid",
    seed: int = 0,
) -> list[Scorer]:
    """Returns popularity, ItemKNN and, with text vectors, TextKNN for a data set.

    All are tuned on validation shoppers for the way that `config` treats repeats, and are then
    fitted to the log before the split that they are to predict.

    Args:
        dataset: the prepared data set.
        config: its `repeats` is used.
        text_vectors: float `[num_items, dimension]`, or None.
        before: that split, `valid` or `test`.
        seed: seed of the draw of validation shoppers.

    Raises:
        UserError: if the validation split has no targets.
    """
    cases = tuning_cases(dataset, config, seed=seed)
    popularity = tune_popularity(dataset, cases)
    item_knn = tune_item_knn(dataset, cases)
    scorers: list[Scorer] = [
        Popularity.fit(dataset, days=popularity, before=before),
        ItemKNN.fit(dataset, item_knn, before=before),
    ]
    if text_vectors is not None:
        scorers.append(tune_text_knn(dataset, text_vectors, cases))
    return scorers


def tuning_cases(dataset: "PreparedDataset", config: EvaluationConfig, *, seed: int) -> Cases:
    """Returns the validation cases, thinned to `TUNING_SHOPPERS`."""
    cases = Cases.of(dataset, "valid", config)
    if len(cases) <= TUNING_SHOPPERS:
        return cases
    drawn = np.random.default_rng(seed).choice(len(cases), TUNING_SHOPPERS, replace=False)
    return cases.select(np.sort(drawn))


def tune_popularity(dataset: "PreparedDataset", cases: Cases) -> int | None:
    """Returns the last days whose sales do best on validation cases; None for all."""
    best = _tune(
        "popularity",
        lambda settings: Popularity.fit(dataset, **settings),
        {"days": None},
        POPULARITY_OPTIONS,
        cases,
    )
    return best["days"]


def tune_item_knn(dataset: "PreparedDataset", cases: Cases) -> ItemKNNSettings:
    """Returns the settings of ItemKNN that do best on validation cases."""
    fitter = ItemKNNFitter(dataset)
    options = dict(ITEM_KNN_OPTIONS)
    if cases.repeats == "count":
        options["self_weight"] = SELF_WEIGHTS
    best = _tune(
        "item_knn",
        lambda settings: fitter.fit(ItemKNNSettings(**settings)),
        asdict(ItemKNNSettings()),
        options,
        cases,
    )
    return ItemKNNSettings(**best)


def tune_text_knn(dataset: "PreparedDataset", text_vectors: np.ndarray, cases: Cases) -> TextKNN:
    """Returns TextKNN with the decay that does best on validation cases."""
    best = _tune(
        "text_knn",
        lambda settings: TextKNN.fit(dataset, text_vectors, **settings),
        {"decay": 0.5},
        TEXT_KNN_OPTIONS,
        cases,
    )
    return TextKNN.fit(dataset, text_vectors, **best)


def coordinate_search(
    measure: Callable[[dict[str, Any]], float],
    start: Mapping[str, Any],
    options: Mapping[str, Sequence[Any]],
    *,
    passes: int = PASSES,
) -> dict[str, Any]:
    """Returns the settings with the highest measure, changing one at a time.

    Every option of every key is tried with the others at their best so far; the passes stop
    when nothing changes. No settings are measured twice.

    Args:
        measure: gives the figure to maximise.
        start: the first settings, with a value for every key.
        options: the values to try for some of the keys.
        passes: how often to go through all keys at most.
    """
    known: dict[tuple[Any, ...], float] = {}

    def measured(settings: dict[str, Any]) -> float:
        key = tuple(settings.values())
        if key not in known:
            known[key] = measure(settings)
        return known[key]

    best = dict(start)
    highest = measured(best)
    for _ in range(passes):
        before = dict(best)
        for name, values in options.items():
            for value in values:
                candidate = {**best, name: value}
                if measured(candidate) > highest:
                    best, highest = candidate, measured(candidate)
        if best == before:
            break
    return best


def _tune(
    name: str,
    make: Callable[[dict[str, Any]], Scorer],
    start: Mapping[str, Any],
    options: Mapping[str, Sequence[Any]],
    cases: Cases,
) -> dict[str, Any]:
    # No more than that, and often less: no settings are measured twice.
    most = 1 + PASSES * sum(len(values) - 1 for values in options.values())
    bar: tqdm
    with progress(description=f"tune {name}", total=most, unit="setting") as bar:

        def measure(settings: dict[str, Any]) -> float:
            ranks, _ = rank(make(settings), cases)
            bar.update(1)
            return float(ndcg(ranks, cases.target_offsets, CUTOFF).mean())

        best = coordinate_search(measure, start, options)
        bar.total = bar.n
    return best
