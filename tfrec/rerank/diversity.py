"""Two ways to weigh an item's worth against its likeness to what is already shown."""

from typing import Protocol

import tensorflow as tf

State = tuple[tf.Tensor, ...]

# What is left of an item's own direction when those shown explain all of it; below is rounding.
LEAST_NOVELTY = 1e-6


class Criterion(Protocol):
    """Says at each step of a greedy choice how much every candidate would add.

    Relevance is float32 `[batch, num_candidates]` in [0, 1]; likeness is float32 `[batch,
    num_candidates, num_candidates]` in [0, 1], positive semi-definite with ones on its diagonal.
    """

    def start(self, likeness: tf.Tensor) -> State:
        """Returns the state before the first choice."""

    def gains(self, relevance: tf.Tensor, state: State) -> tf.Tensor:
        """Returns float32 `[batch, num_candidates]`, of a size of some tens at most."""

    def update(self, state: State, likeness: tf.Tensor, pick: tf.Tensor) -> State:
        """Returns the state after candidate `pick`, int32 `[batch]`, was chosen."""


class ByRelevance:
    """No diversity: the most relevant candidate is next."""

    def start(self, likeness: tf.Tensor) -> State:
        """Returns no state."""
        return ()

    def gains(self, relevance: tf.Tensor, state: State) -> tf.Tensor:
        """Returns the relevance."""
        return relevance

    def update(self, state: State, likeness: tf.Tensor, pick: tf.Tensor) -> State:
        """Returns the state."""
        return state


class MaximalMarginalRelevance:
    """MMR of Carbonell and Goldstein, SIGIR 1998.

    The next candidate maximises `(1 - diversity) * relevance - diversity * likeness to the most
    alike item chosen`.

    Args:
        diversity: from 0 (relevance alone) to 1.
    """

    def __init__(self, diversity: float) -> None:
        self._diversity = diversity

    def start(self, likeness: tf.Tensor) -> State:
        """Returns the largest likeness to an item chosen, `[batch, num_candidates]`."""
        return (tf.zeros_like(likeness[:, 0]),)

    def gains(self, relevance: tf.Tensor, state: State) -> tf.Tensor:
        """Returns the marginal relevance, in [-1, 1]."""
        return (1.0 - self._diversity) * relevance - self._diversity * state[0]

    def update(self, state: State, likeness: tf.Tensor, pick: tf.Tensor) -> State:
        """Returns the state with the likeness to one more item."""
        return (tf.maximum(state[0], tf.gather(likeness, pick, batch_dims=1)),)


class DeterminantalPointProcess:
    """Fast greedy MAP inference of a DPP, Chen, Zhang and Zhou, NeurIPS 2018.

    With the kernel `L_ij = exp(a r_i) S_ij exp(a r_j)`, where `r` is relevance, `S` likeness and
    `a = (1 - diversity) / (2 diversity)`, the candidate that adds most to the log-determinant of
    the chosen ones' kernel maximises `(1 - diversity) * r_i + diversity * log(d_i ^ 2)`. There
    `d_i ^ 2` is what the chosen ones leave of candidate `i` in an incremental Cholesky
    factorisation of `S`. Each choice takes its row of the factor off all of what is left, rather
    than off each candidate when that is chosen as in algorithm 1 of the paper: the numbers are the
    same, and for some hundred candidates one large operation is faster than several small ones.

    Args:
        diversity: from 0 (relevance alone) to 1.
    """

    def __init__(self, diversity: float) -> None:
        self._diversity = diversity

    def start(self, likeness: tf.Tensor) -> State:
        """Returns the squared `d` `[batch, num_candidates]`, and what is left of the likeness."""
        return tf.linalg.diag_part(likeness), likeness

    def gains(self, relevance: tf.Tensor, state: State) -> tf.Tensor:
        """Returns the growth of the log-determinant, in [-14, 1]."""
        novelty = tf.math.log(tf.maximum(state[0], LEAST_NOVELTY))
        return (1.0 - self._diversity) * relevance + self._diversity * novelty

    def update(self, state: State, likeness: tf.Tensor, pick: tf.Tensor) -> State:
        """Returns the state without what the chosen candidate explains."""
        squared, left = state
        own = tf.gather(squared, pick[:, tf.newaxis], batch_dims=1)
        row = tf.gather(left, pick, batch_dims=1) * tf.math.rsqrt(tf.maximum(own, LEAST_NOVELTY))
        return squared - tf.square(row), left - row[:, :, tf.newaxis] * row[:, tf.newaxis]


def likeness(vectors: tf.Tensor) -> tf.Tensor:
    """Returns `(1 + cosine) / 2` of every pair, `[batch, num_candidates, num_candidates]`.

    So it is never negative, and an item opposite to another is not called like it.

    Args:
        vectors: float32 `[batch, num_candidates, dimension]`, unit vectors.
    """
    return 0.5 + 0.5 * tf.linalg.matmul(vectors, vectors, transpose_b=True)
