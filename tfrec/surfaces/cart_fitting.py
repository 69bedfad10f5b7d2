"""Learns what completes an order, with settings and weights chosen on validation orders."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy import sparse

from tfrec.data.dataset import PreparedDataset
from tfrec.data.item_counts import log_counts
from tfrec.data.records import batches_by_length
from tfrec.errors import UserError
from tfrec.evaluation.metrics import ndcg, target_ranks
from tfrec.evaluation.tuning import coordinate_search
from tfrec.index.item_vectors import ItemVectors
from tfrec.progress import progress, write_line
from tfrec.surfaces.cart import WINDOWS, Cart, CartTables
from tfrec.surfaces.mixing import Scored, most_likely_weights
from tfrec.surfaces.order_regression import RegressionSettings, regression_weights
from tfrec.surfaces.orders import Baskets, Orders

NEIGHBOURS = 200
OPTIONS = {"penalty": (50.0, 25.0, 10.0), "length_exponent": (0.5, 0.0, 1.0)}
LINES = 3
"""Hidden lines of a validation order, one at a time: more of them, and chance decides less."""
CUTOFF = 10
SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
CELLS = 20_000_000
BATCH = 256


class NoOrdersError(UserError):
    """The log has no orders of several lines."""


@dataclass(frozen=True)
class FittedCart:
    """A cart model and how it was chosen.

    Attributes:
        tables: what the log before the test period says.
        settings: the regression's.
        metrics: NDCG and recall at 10 on validation baskets.
    """

    tables: CartTables
    settings: RegressionSettings
    metrics: dict[str, float]


def fit_cart(dataset: PreparedDataset, vectors: np.ndarray, *, seed: int) -> FittedCart:
    """Fits the cart model of a data set.

    Settings and weights are chosen by baskets of the validation period, from counts of the log
    before it; the counts are then taken anew from the log before the test period.

    Args:
        dataset: the prepared data set.
        vectors: float32 `[num_items + 1, dimension]`, unit vectors of the items.
        seed: seed of the draw of hidden lines.

    Raises:
        NoOrdersError: if the log has no orders of two lines to learn from or to choose by.
    """
    events = dataset.target_event_indices
    orders = orders_before(dataset, "valid")
    later = Orders.of_targets(dataset.histories("valid"), events, dataset.num_items)
    baskets = Baskets.of(later, lines=LINES, seed=seed)
    if not (orders.sizes > 1).any() or not len(baskets):
        raise NoOrdersError(
            f"the data set {dataset.path} has no orders of several lines, which are events of one "
            "shopper at one time; without them there is nothing to learn about baskets"
        )
    most = max(1, CELLS // (dataset.num_items + 1))
    if len(baskets) > most:
        baskets = baskets.select(np.linspace(0, len(baskets) - 1, most).astype(np.int64))
    settings = _tune(orders, baskets)
    tables = count_cart(dataset, "valid", settings)
    mix, metrics = _choose_mix(_scored(tables, baskets, vectors), baskets)
    write_line(
        f"cart: penalty {settings.penalty:g}, length exponent {settings.length_exponent:g}, "
        f"weights {np.round(mix, 4).tolist()}, validation NDCG@10 {metrics['cart_ndcg@10']:.4f}"
    )
    return FittedCart(count_cart(dataset, "test", settings, mix), settings, metrics)


def orders_before(dataset: PreparedDataset, split: str) -> Orders:
    """Returns the orders of the log before a split, `valid` or `test`."""
    log = dataset.log_before(split)
    return Orders.of_histories(log, dataset.target_event_indices, dataset.num_items)


def basket_scores(cart: Cart, baskets: Baskets, vectors: np.ndarray) -> np.ndarray:
    """Returns float32 `[num_baskets, num_items + 1]`; visible lines are minus infinity."""
    table = ItemVectors(tf.constant(vectors))
    scores = _in_batches(baskets, lambda rows: cart.scores(rows, table))
    scores[baskets.items.nonzero()] = -np.inf
    scores[:, 0] = -np.inf
    return scores


def hidden_ranks(scores: np.ndarray, baskets: Baskets) -> np.ndarray:
    """Returns the rank of every hidden line, int64 `[num_baskets]`, ties against the model."""
    return target_ranks(scores, np.arange(len(baskets) + 1), baskets.hidden)


def _tune(orders: Orders, baskets: Baskets) -> RegressionSettings:
    cases = np.arange(len(baskets) + 1)
    most = sum(len(values) for values in OPTIONS.values()) - 1
    with progress(description="tune cart", total=most, unit="setting") as bar:

        def measure(settings: dict[str, float]) -> float:
            table = regression_weights(
                orders.items, RegressionSettings(**settings), neighbours=NEIGHBOURS
            )
            scores = regression_scores(*table, baskets)
            scores[baskets.items.nonzero()] = -np.inf
            bar.update(1)
            return float(ndcg(hidden_ranks(scores, baskets), cases, CUTOFF).mean())

        start = {name: values[0] for name, values in OPTIONS.items()}
        best = coordinate_search(measure, start, OPTIONS, passes=1)
    return RegressionSettings(**best)


def count_cart(
    dataset: PreparedDataset,
    before: str,
    settings: RegressionSettings,
    mix: np.ndarray | None = None,
) -> CartTables:
    """Returns what the log before a split says of baskets.

    Args:
        dataset: the prepared data set.
        before: the split, `valid` or `test`.
        settings: the regression's.
        mix: weights of the parts; None for the regression alone.
    """
    log_sales = log_counts(
        dataset.log_before(before), dataset.num_items + 1, dataset.target_event_indices, WINDOWS
    )
    orders = orders_before(dataset, before)
    table = regression_weights(orders.items, settings, neighbours=NEIGHBOURS)
    if mix is None:
        mix = np.array([1.0, 0.0, *[0.0] * len(WINDOWS)], np.float32)
    return CartTables(*table, log_sales, mix)


def _scored(tables: CartTables, baskets: Baskets, vectors: np.ndarray) -> Scored:
    means = baskets.items @ vectors
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    parts = [regression_scores(tables.nearest, tables.values, baskets), means @ vectors.T]
    hidden = baskets.items.toarray() > 0
    hidden[:, 0] = True
    return Scored(parts, tables.log_sales, baskets.hidden, hidden)


def regression_scores(nearest: np.ndarray, values: np.ndarray, baskets: Baskets) -> np.ndarray:
    """Returns what `Cart.regression` does, a hundred thousand lines at a time."""
    size, neighbours = nearest.shape
    rows = np.repeat(np.arange(size), neighbours)
    weights = sparse.csr_matrix((values.ravel(), (rows, nearest.ravel())), shape=(size, size))
    return (baskets.items @ weights).toarray()


def _choose_mix(scored: Scored, baskets: Baskets) -> tuple[np.ndarray, dict[str, float]]:
    """Returns the weights of the parts, and what they reach.

    The most likely weights place the whole catalogue well, where a list needs its top alone. So
    all but the regression's are multiplied by the share that does best there; never by 0, as they
    are all that is known of new products and for empty baskets.
    """
    likely = most_likely_weights(scored, "Weights of the cart")
    # The order depends on ratios alone.
    likely = likely / likely[0] if likely[0] > 0 else np.array([1.0, *likely[1:]])
    cases = np.arange(len(baskets) + 1)
    best: tuple[np.ndarray, dict[str, float]] | None = None
    for share in SHARES:
        mix = np.array([likely[0], *(share * likely[1:])], np.float32)
        scores = scored.scores(mix)
        ranks = hidden_ranks(scores, baskets)
        metrics = {
            "cart_ndcg@10": float(ndcg(ranks, cases, CUTOFF).mean()),
            "cart_recall@10": float((ranks <= CUTOFF).mean()),
        }
        if best is None or metrics["cart_ndcg@10"] > best[1]["cart_ndcg@10"]:
            best = mix, metrics
    assert best is not None, "there are shares"
    return best


def _in_batches(baskets: Baskets, score: Callable[[tf.Tensor], tf.Tensor]) -> np.ndarray:
    """Returns the scores of all baskets; batches of like sizes need little padding."""
    scores = np.zeros(baskets.items.shape, np.float32)
    for rows in batches_by_length(np.diff(baskets.items.indptr), BATCH):
        scores[rows] = score(tf.constant(padded(baskets.items[rows]))).numpy()
    return scores


def padded(items: sparse.csr_matrix) -> np.ndarray:
    """Returns the items of every row of a sparse matrix, int64 `[rows, longest]`, 0 for none."""
    sizes = np.diff(items.indptr)
    table = np.zeros((len(sizes), max(1, int(sizes.max(initial=0)))), np.int64)
    table[np.arange(table.shape[1]) < sizes[:, np.newaxis]] = items.indices
    return table
