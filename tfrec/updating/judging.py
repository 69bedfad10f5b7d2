"""What a recommender shows the shoppers of the newest days, and what they took of it."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfrec.data.records import Histories
from tfrec.errors import UserError
from tfrec.evaluation.cases import Cases
from tfrec.evaluation.metrics import case_of_target, list_ranks, ndcg
from tfrec.evaluation.probabilities import expected_calibration_error
from tfrec.models.asking import ask, padded
from tfrec.models.graphs import OpenGraph
from tfrec.models.recommender import Recommender
from tfrec.towers.spec import DataSpec

TIMED = 25


@dataclass(frozen=True)
class Judged:
    """The figures of one recommender.

    Attributes:
        ndcg: float64 `[cases]`.
        ndcg_new_items: float64 `[new items]`, NDCG of every new item that was bought: the mean
            over its buyers of what its place on their lists is worth alone.
        ndcg_new_shoppers: that of the cases without training events.
        coverage: share of the catalogue that is on somebody's list.
        calibration_error: of the probabilities on the lists; NaN without a target event.
    """

    ndcg: np.ndarray
    ndcg_new_items: np.ndarray
    ndcg_new_shoppers: np.ndarray
    coverage: float
    calibration_error: float


def known_context(histories: Histories, spec: DataSpec) -> Histories:
    """Returns the histories with contexts that a model has no number for as unknown ones."""
    context = {
        name: np.where(values > len(spec.contexts[name]), 0, values)
        for name, values in histories.context.items()
        if name in spec.contexts
    }
    return dataclasses.replace(histories, context=context)


def judge(recommender: Recommender, cases: Cases, cutoff: int, new_item_events: int) -> Judged:
    """Measures a recommender on the lists that it would show.

    Args:
        recommender: both stages, with counts that end before the cases' targets.
        cases: whom to show lists to, and what they took.
        cutoff: length of the lists.
        new_item_events: an item is new up to so many events in training.

    Raises:
        UserError: if the recommender gives values that are no numbers.
    """
    cutoff = min(cutoff, recommender.candidates)
    items, probability = _lists(recommender, cases, cutoff)
    case = case_of_target(cases.target_offsets)
    ranks = list_ranks(items, cases.target_offsets, cases.target_item)
    values = ndcg(ranks, cases.target_offsets, cutoff)
    new = cases.train_events[cases.target_item - 1] <= new_item_events
    shown = items > 0
    width = cases.num_items + 1
    taken = np.isin(
        np.arange(len(items))[:, None] * width + items, case * width + cases.target_item
    )
    return Judged(
        ndcg=values,
        ndcg_new_items=_of_items(ranks[new], cases.target_item[new], cutoff),
        ndcg_new_shoppers=values[cases.new_shopper],
        coverage=len(np.unique(items[shown])) / cases.num_items,
        calibration_error=expected_calibration_error(
            taken[shown], np.clip(probability[shown], 0.0, 1.0)
        ),
    )


def _of_items(ranks: np.ndarray, item: np.ndarray, cutoff: int) -> np.ndarray:
    # All buyers of a new item stand or fall with its one vector, so items are what is resampled.
    alone = ndcg(ranks, np.arange(len(ranks) + 1), cutoff)
    _, place, buyers = np.unique(item, return_inverse=True, return_counts=True)
    return np.bincount(place, alone, len(buyers)) / buyers


def _lists(recommender: Recommender, cases: Cases, cutoff: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns items and the probability that they are taken, each `[cases, cutoff]`."""
    spec = recommender.retriever.model.spec
    answers = ask(
        recommender,
        known_context(cases.histories, spec),
        count=cutoff,
        hide_history=cases.repeats == "exclude",
    )
    if not np.isfinite(answers.values).all():
        raise UserError(
            "the new models give values that are no numbers; their training has diverged"
        )
    # The chance that some target event comes, if they come independently.
    missed = np.prod([1.0 - answers.probabilities[event] for event in spec.target_events], axis=0)
    return answers.items, 1.0 - missed


def milliseconds(recommenders: Sequence[Recommender], cases: Cases) -> list[float]:
    """Returns the median time of an answer to one shopper, the recommenders taking turns."""
    asked = cases.select(np.arange(min(TIMED, len(cases))))
    functions = [OpenGraph(each.recommend) for each in recommenders]
    hide = cases.repeats == "exclude"
    inputs = [
        padded(
            each,
            known_context(asked.histories, each.retriever.model.spec),
            hide_history=hide,
        )
        for each in recommenders
    ]
    seconds: list[list[float]] = [[] for _ in recommenders]
    for row in [0, *range(len(asked))]:
        for number, (function, (history, hidden)) in enumerate(zip(functions, inputs, strict=True)):
            one = {name: array[row : row + 1] for name, array in history.items()}
            started = time.perf_counter()
            function(one, hidden[row : row + 1])
            seconds[number].append(time.perf_counter() - started)
    # The first answer includes the making of the graph.
    return [1000 * float(np.median(times[1:])) for times in seconds]
