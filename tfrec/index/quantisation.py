"""Vectors in eight bits a number, rounded where their products with queries mind it least."""

import numpy as np

LEVELS = 127
"""Largest code; the smallest is its negative, so that 0 stands for 0."""
DAMPING = 0.3
"""Weight of an error in no particular direction beside the mean one along the queries."""


def quantise(
    vectors: np.ndarray, queries: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns codes and scales with ``vectors`` near ``codes * scales``.

    A row's scale puts its largest number at `LEVELS`. Where queries are given, what rounding one
    number does to the products with them is made up for by the numbers after it, as in GPTQ
    (Frantar, Ashkboos, Hoefler and Alistarh, ICLR 2023, equations 2 and 3, with one order for all
    rows): most queries have much in common, so an error along that shifts scores by far more than
    one of the same length elsewhere.

    Args:
        vectors: float `[rows, dimension]`.
        queries: float `[count, dimension]`, as will be multiplied with the vectors; None rounds
            every number to the nearest code.

    Returns:
        int8 `[rows, dimension]` and float32 `[rows, 1]`; a row of zeros has scale 0.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scales = (largest / LEVELS).astype(np.float32)
    steps = np.where(scales > 0, scales, 1.0).astype(np.float64)
    rest = vectors / steps
    if queries is None or not len(queries):
        return np.rint(rest).astype(np.int8), scales
    spread = _spread_of_errors(queries)
    codes = np.zeros(vectors.shape, np.int8)
    for column in range(vectors.shape[1]):
        rounded = np.clip(np.rint(rest[:, column]), -LEVELS, LEVELS)
        codes[:, column] = rounded
        rest[:, column:] -= np.outer(rest[:, column] - rounded, spread[column, column:])
    codes[scales[:, 0] == 0] = 0
    return codes, scales


def _spread_of_errors(queries: np.ndarray) -> np.ndarray:
    """Returns `[dimension, dimension]`: how a unit error in a row's number changes those after it.

    Rows of the upper Cholesky factor of the inverse second moment of the queries, each divided
    by its diagonal.
    """
    dimension = queries.shape[1]
    moment = queries.T.astype(np.float64) @ queries / len(queries)
    # Zeros would leave an error in a direction without queries free, however far it went.
    damping = max(DAMPING * np.trace(moment) / dimension, 1e-12)
    factor = np.linalg.cholesky(np.linalg.inv(moment + damping * np.eye(dimension))).T
    spread: np.ndarray = factor / np.diag(factor)[:, np.newaxis]
    return spread
