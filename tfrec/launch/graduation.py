"""A product's way from the vector of its text to the one that its buyers teach."""

import numpy as np

HALFWAY = 10.0
"""Buyers after which text and buyers count alike; chosen by `benchmarks.launch_graduation`."""


def learned_share(buyers: np.ndarray, halfway: float = HALFWAY) -> np.ndarray:
    """Returns float: how much of a product's vector its buyers decide, from 0 to 1.

    The posterior mean of a vector whose prior, from the text, is worth `halfway` buyers.

    Args:
        buyers: how many there were, of any shape.
        halfway: buyers after which both count alike.

    Raises:
        ValueError: if `halfway` is not positive.
    """
    if halfway <= 0:
        raise ValueError(f"`halfway` should be positive. Received: halfway={halfway}")
    buyers = np.asarray(buyers, float)
    return buyers / (buyers + halfway)


def graduated(
    text: np.ndarray, learned: np.ndarray, buyers: np.ndarray, halfway: float = HALFWAY
) -> np.ndarray:
    """Returns unit vectors between text and behaviour, by what is known of each product.

    Args:
        text: float `[T, D]`, vectors foretold from the texts.
        learned: float `[T, D]`, mean vectors of the buyers; anything where there are none.
        buyers: int `[T]`.
        halfway: as in `learned_share`.
    """
    share = learned_share(buyers, halfway)[:, None]
    mixed = (1 - share) * unit(text) + share * unit(learned)
    return unit(mixed)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Returns the rows at length 1; a row of zeros stays one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
