"""The greedy choice of what stands at each of the first places of a list."""

import tensorflow as tf

from tfrec.rerank.caps import Caps
from tfrec.rerank.diversity import Criterion, State

# Steps between kinds of candidates, each larger than all that is added to a gain below it.
OVER_CAP = -200.0
NO_ITEM = -1e4
TAKEN = -1e8
# The largest bonus for chance; it outweighs every gain, and no cap.
EXPLORED = 100.0


def choose(
    relevance: tf.Tensor,
    likeness: tf.Tensor,
    present: tf.Tensor,
    criterion: Criterion,
    steps: int,
    caps: Caps | None = None,
    bonus: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Chooses candidates one after another, each the one with the largest gain.

    Candidates over a cap come after all others, and columns without an item after these, so that
    a list is always filled.

    Args:
        relevance: float32 `[batch, num_candidates]` in [0, 1].
        likeness: float32 `[batch, num_candidates, num_candidates]`.
        present: bool `[batch, num_candidates]`, whether there is an item in the column.
        criterion: how relevance and likeness make a gain.
        steps: how many to choose, `num_candidates` at most.
        caps: what limits the number of items alike, or `None`.
        bonus: float32 `[batch, steps, num_candidates]` added to the gains at each step, or `None`.

    Returns:
        int32 `[batch, steps]` columns, and bool `[batch, steps]`, true where a cap was broken.
    """
    base = tf.where(present, 0.0, NO_ITEM)
    width = tf.shape(relevance)[1]
    picks = tf.TensorArray(tf.int32, steps, element_shape=[None])
    broken = tf.TensorArray(tf.bool, steps, element_shape=[None])
    state = criterion.start(likeness)
    counts: State = () if caps is None else (caps.start(),)

    def body(
        step: tf.Tensor,
        base: tf.Tensor,
        state: State,
        counts: State,
        picks: tf.TensorArray,
        broken: tf.TensorArray,
    ) -> tuple:
        gains = base + criterion.gains(relevance, state)
        if bonus is not None:
            gains += bonus[:, step]
        if caps is not None:
            full = caps.full(counts[0])
            gains += tf.where(full, OVER_CAP, 0.0)
        pick = tf.argmax(gains, axis=1, output_type=tf.int32)
        base += TAKEN * tf.one_hot(pick, width)
        if caps is not None:
            broken = broken.write(step, tf.gather(full, pick, batch_dims=1))
            counts = (caps.count(counts[0], pick),)
        state = criterion.update(state, likeness, pick)
        return step + 1, base, state, counts, picks.write(step, pick), broken

    *_, picks, broken = tf.while_loop(
        lambda step, *_: step < steps,
        body,
        (tf.constant(0), base, state, counts, picks, broken),
    )
    chosen = tf.transpose(picks.stack())
    if caps is None:
        return chosen, tf.zeros_like(chosen, tf.bool)
    return chosen, tf.transpose(broken.stack())
