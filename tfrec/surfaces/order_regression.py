"""Which items complete an order: a linear model of every item by all the others."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy import sparse

MOST_ITEMS = 8000
"""Items of the regression, those in most orders. Its time grows with their cube."""


@dataclass(frozen=True)
class RegressionSettings:
    """What can be tuned of the regression.

    Attributes:
        penalty: of the squared weights, in orders.
        length_exponent: an order of ``n`` lines weighs ``n ** -length_exponent``, scaled to keep
            the mean at 1, so that a wholesaler's order of hundreds of lines says less.
    """

    penalty: float = 25.0
    length_exponent: float = 0.5


def regression_weights(
    orders: sparse.csr_matrix, settings: RegressionSettings, *, neighbours: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns what every item in a basket says for and against others.

    The weights minimise the squared error of predicting every line of an order from its other
    lines, ``|X - X W|^2 + penalty |W|^2`` with a diagonal of zeros (Steck, "Embarrassingly shallow
    autoencoders for sparse data", WWW 2019). Unlike a cosine, they tell what goes with an item
    from what is in every basket anyway, and two items that say the same do not say it twice.

    Args:
        orders: sparse `[num_orders, num_items + 1]`, 1 for every line.
        settings: penalty and weight of orders.
        neighbours: weights kept for every item, the largest by size.

    Returns:
        int32 `[num_items + 1, neighbours]` and float32 of the same shape: row ``i`` holds the
        items that an item ``i`` in the basket speaks for or, below 0, against; 0 for none.
    """
    counts = np.asarray(orders.sum(axis=0)).ravel()
    chosen = np.argsort(-counts, kind="stable")[:MOST_ITEMS]
    chosen = np.sort(chosen[counts[chosen] > 0])
    gram = _gram(orders[:, chosen], settings.length_exponent)
    gram[np.diag_indices_from(gram)] += np.float32(settings.penalty)
    precision = _inverse(gram)
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0.0)

    width = min(neighbours, max(len(chosen) - 1, 0))
    nearest = np.zeros((orders.shape[1], neighbours), np.int32)
    values = np.zeros(nearest.shape, np.float32)
    if width:
        best = np.argpartition(-np.abs(weights), width - 1, axis=1)[:, :width]
        nearest[chosen, :width] = chosen[best]
        values[chosen, :width] = np.take_along_axis(weights, best, axis=1)
    return nearest, values


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Returns the inverse of a positive definite matrix, in half the time of the general one."""
    if not len(matrix):
        return matrix
    factor, failed = scipy.linalg.lapack.spotrf(matrix, lower=True)
    assert not failed, "a Gram matrix with a penalty is positive definite"
    lower, _ = scipy.linalg.lapack.spotri(factor, lower=True)
    lower = np.tril(lower)
    return lower + np.tril(lower, -1).T


def _gram(orders: sparse.csr_matrix, length_exponent: float) -> np.ndarray:
    lengths = np.maximum(np.diff(orders.indptr), 1).astype(np.float64)
    weights = lengths**-length_exponent
    # The mean over lines, so that the penalty means the same for every exponent.
    weights *= lengths.sum() / max(float((weights * lengths).sum()), 1e-12)
    weighted = sparse.diags(np.sqrt(weights)).astype(np.float32) @ orders
    return (weighted.T @ weighted).toarray().astype(np.float32)
