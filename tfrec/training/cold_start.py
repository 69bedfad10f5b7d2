"""Fits how items of few sales are found, on items that are pretended to be new."""

import itertools
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import tensorflow as tf

from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import batches_by_length
from tfrec.evaluation.cases import Cases
from tfrec.evaluation.metrics import case_of_target, ndcg, target_ranks
from tfrec.models.graphs import OpenGraph
from tfrec.models.recommender import Retriever
from tfrec.models.retrieval import RetrievalModel
from tfrec.progress import progress, write_line
from tfrec.towers.histories import pad_histories
from tfrec.training.pretended_items import DRAWS, draws_of_items
from tfrec.training.retrieval_validation import VALIDATION_BATCH, RetrievalValidation

CELLS = 30_000_000
"""At most so many scores of a kind are held in memory; more shoppers are thinned out."""
CUTOFF = 10

NONE = {"share": 0.0, "pseudo_sales": 20.0, "decay": 0.3, "bonus": 0.0}
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)
PSEUDO_SALES = (20.0, 60.0, 200.0)
DECAYS = (0.1, 0.3)
BONUSES = tuple(number / 100 for number in range(1, 31))


def fit_cold_start(
    model: RetrievalModel, dataset: PreparedDataset, validate: RetrievalValidation, seed: int
) -> None:
    """Fits `model.cold_start` on validation shoppers, with known items in the part of new ones.

    Every shopper meets a catalogue in which a tenth of the sold items is pretended to be new:
    without id offset, memory and sales, and with what their stand-ins lend them. For half of the
    shoppers what they chose is among these items, for the others it is not. The settings are those
    with the highest NDCG of new items at which that of the others is no more than `new_item_price`
    of itself below what it is without the part.

    The towers have learned from the purchases of items that are only pretended to be new, so that
    the towers look a little better there than they are on items that are new indeed.

    Args:
        model: the trained model; it is counted before the validation period.
        dataset: the prepared data set.
        validate: has the cases.
        seed: seed of the draws.
    """
    assert model.cold_start is not None, "only a model with the part has something to fit"
    model.count(dataset.log_before("valid"))
    # Re-purchases are of items that are not new.
    pretended = pretend(model, validate.modes[0][1], seed)
    best = choose(pretended, model.config.new_item_price)
    before, after = pretended.ndcg(**NONE), pretended.ndcg(**best)
    model.cold_start.fit(**best)
    told = ", ".join(f"{name} {value:g}" for name, value in best.items())
    write_line(
        f"Cold start: {told}; NDCG@{CUTOFF} of items pretended to be new "
        f"{before[1]:.4f} -> {after[1]:.4f}, of the others {before[0]:.4f} -> {after[0]:.4f}"
    )


def choose(pretended: "PretendedCases", price: float) -> dict[str, float]:
    """Returns the settings of `ColdStart.fit` that find most new items at a price.

    Where none of the others is found, what they lose cannot be told, and nothing is changed.

    Args:
        pretended: tells the figures of settings.
        price: share of the NDCG of the other items that may be lost.
    """
    least = (1 - price) * pretended.ndcg(**NONE)[0]
    if least == 0:
        return NONE
    shapes = [
        {"share": share, "pseudo_sales": pseudo_sales, "decay": decay, "bonus": 0.0}
        for share, pseudo_sales, decay in itertools.product(SHARES, PSEUDO_SALES, DECAYS)
    ]
    figures = [
        pretended.ndcg(**settings)
        for settings in progress([NONE, *shapes], description="Cold start", unit="setting")
    ]
    allowed = []
    for settings, (old, new) in zip([NONE, *shapes], figures, strict=True):
        # A bonus costs: it begins with shapes that no other shape is better than in both respects.
        if any(a > old and b > new for a, b in figures):
            continue
        for bonus in (0.0, *BONUSES):
            old, new = pretended.ndcg(**{**settings, "bonus": bonus})
            if old < least:
                break
            allowed.append((new, old, {**settings, "bonus": bonus}))
    return max(allowed, key=lambda found: found[:2])[2]


@dataclass(frozen=True)
class PretendedCases:
    """Validation cases in which some items are pretended to be new.

    Attributes:
        scores: float32 `[cases, num_items + 1]`, without the part to be fitted; minus infinity for
            what is never shown.
        towards: products of the way from query to profile with every item, float32
            `[cases, num_items + 1]`, by the decay of the profile.
        sales: float `[num_items + 1]`.
        pretended: bool `[cases, num_items + 1]`, items that are new in a case.
        target_offsets: int64 `[cases + 1]`.
        target_item: int `[num_targets]`.
        known: what `ndcg` found, by its arguments.
    """

    scores: np.ndarray
    towards: dict[float, np.ndarray]
    sales: np.ndarray
    pretended: np.ndarray
    target_offsets: np.ndarray
    target_item: np.ndarray
    known: dict[tuple[float, ...], tuple[float, float]] = field(default_factory=dict)

    def ndcg(
        self, share: float, pseudo_sales: float, decay: float, bonus: float
    ) -> tuple[float, float]:
        """Returns the mean NDCG of targets that are not new, and of those that are.

        Args: those of `ColdStart.fit`.
        """
        key = (share, pseudo_sales, decay, bonus)
        if key not in self.known:
            self.known[key] = self._ndcg(*key)
        return self.known[key]

    def _ndcg(
        self, share: float, pseudo_sales: float, decay: float, bonus: float
    ) -> tuple[float, float]:
        weight = np.where(self.pretended, 1.0, pseudo_sales / (pseudo_sales + self.sales))
        scores = (share * weight).astype(np.float32)
        if share:
            scores *= self.towards[decay]
        scores += self.scores
        scores += np.where(self.pretended, bonus, bonus * 0.5**self.sales).astype(np.float32)
        ranks = target_ranks(scores, self.target_offsets, self.target_item)
        owner = case_of_target(self.target_offsets)
        new = self.pretended[owner, self.target_item]
        return _mean_ndcg(ranks[~new], owner[~new]), _mean_ndcg(ranks[new], owner[new])


def pretend(model: RetrievalModel, cases: Cases, seed: int) -> PretendedCases:
    """Scores cases in which some items are pretended to be new.

    Args:
        model: the trained model, counted before the cases.
        cases: without re-purchases; thinned out where they are too many.
        seed: seed of the draws.
    """
    cold_start = model.cold_start
    assert cold_start is not None, "only a model with the part can ask for the profiles"
    most = max(1, CELLS // cases.num_items)
    if len(cases) > most:
        cases = cases.select(np.linspace(0, len(cases) - 1, most).astype(np.int64))
    random = np.random.default_rng(seed)
    sales = np.pad(cold_start.sales.numpy(), (0, cases.num_items - cold_start.num_ids))
    draw_of_item = draws_of_items(sales, random)
    draw = _draws_of_cases(cases, draw_of_item, random)
    pretended = draw_of_item == draw[:, np.newaxis]
    vectors, as_new, trend = _as_if_new(model, draw_of_item)
    cold_start.fit(**NONE)
    retriever = Retriever(model)
    scores = _by_batch(OpenGraph(retriever.scores), model, cases)[0]
    graph = OpenGraph(partial(retriever.queries_and_ways, cold_start))
    towards = {}
    for decay in DECAYS:
        cold_start.fit(**{**NONE, "decay": decay})
        queries, way = _by_batch(graph, model, cases)
        towards[decay] = np.where(pretended, way @ as_new.T, way @ vectors.T)
    scores = np.where(pretended, queries @ as_new.T + trend, scores)
    histories = cases.histories
    scores[histories.owner, histories.item] = -np.inf
    scores[:, 0] = -np.inf
    return PretendedCases(
        scores, towards, sales, pretended, cases.target_offsets, cases.target_item
    )


def _draws_of_cases(
    cases: Cases, draw_of_item: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Returns int `[cases]`: for half of the cases the draw of a target, for the others not."""
    draw = random.integers(0, DRAWS, len(cases))
    first = draw_of_item[cases.target_item[cases.target_offsets[:-1]]]
    half = random.permutation(len(cases)) < len(cases) // 2
    elsewhere = (first + random.integers(1, DRAWS, len(cases))) % DRAWS
    return np.where(first < 0, draw, np.where(half, first, elsewhere))


def _as_if_new(
    model: RetrievalModel, draw_of_item: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the vectors of all items, the same as if each were new, and its lent trend.

    Returns:
        Twice float32 `[num_items + 1, dimension]`, and float32 `[num_items + 1]`.
    """
    vectors = tf.cast(model.item_vectors(), tf.float32).numpy()
    as_new, trend = vectors.copy(), np.zeros(len(vectors), np.float32)
    for number in progress(range(DRAWS), description="Items as if new", unit="draw"):
        some = draw_of_item == number
        with model.id_offsets.pretending(some):
            as_new[some] = tf.cast(model.item_vectors(), tf.float32).numpy()[some]
            if model.trend is not None:
                sales = model.trend.log_sales.numpy().copy()
                sales[some[: len(sales)]] = 0.0  # Without stand-ins nothing is lent.
                lent = model.id_offsets.lend(sales, ~model.id_offsets.learned())
                bias = lent @ model.trend.weights_of_windows.numpy()
                trend[: len(bias)] += np.where(some[: len(bias)], bias, 0.0)
    return vectors, as_new, trend


def _by_batch(graph: OpenGraph, model: RetrievalModel, cases: Cases) -> list[np.ndarray]:
    """Returns what a graph says of every case's history, in the order of the cases."""
    found: list[np.ndarray] = []
    batches = batches_by_length(cases.histories.lengths, VALIDATION_BATCH)
    for rows in progress(batches, description="Scores as if new", unit="batch"):
        history = pad_histories(cases.histories.select(rows), model.config.max_history)
        for place, part in enumerate(tf.nest.flatten(graph(history))):
            if place == len(found):
                found.append(np.empty((len(cases), part.shape[1]), np.float32))
            found[place][rows] = part.numpy()
    return found


def _mean_ndcg(ranks: np.ndarray, owner: np.ndarray) -> float:
    """Returns the mean over shoppers of some of their targets, or 0 where there are none."""
    if not len(ranks):
        return 0.0
    _, sizes = np.unique(owner, return_counts=True)
    return float(ndcg(ranks, np.concatenate([[0], np.cumsum(sizes)]), CUTOFF).mean())
