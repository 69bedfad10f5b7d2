"""What showing an item is worth, from the probabilities of what a shopper may do with it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# A product sold at a loss is worth little, but not nothing: its order among others still counts.
LEAST_MARGIN = 0.01


def task_value(
    probabilities: Mapping[str, tf.Tensor],
    target_events: Sequence[str],
    event_weights: Mapping[str, float],
    return_event: str | None,
    return_penalty: float,
) -> tf.Tensor:
    """Returns `sum over events of weight * probability * (1 - penalty * probability of return)`.

    Args:
        probabilities: float32 `[batch, num_items]` by event type; that of a return is conditional
            on a purchase.
        target_events: the event types that are wanted.
        event_weights: worth of one of each; 1 where not given.
        return_event: the event type that undoes a purchase, or `None`.
        return_penalty: share of the worth that a return takes away.

    Returns:
        float32 `[batch, num_items]`.
    """
    value = tf.add_n(
        [event_weights.get(event, 1.0) * probabilities[event] for event in target_events]
    )
    if return_event is not None:
        value *= 1.0 - return_penalty * probabilities[return_event]
    return value


def new_item_factors(factor: Any, sales: Any) -> Any:
    """Returns ``factor ** (1 / 2**n)`` after `n` sales, so that the first ones are no cliff.

    Args:
        factor: scalar, of items that nobody bought.
        sales: float32 of any shape, counts; an array or a tensor, as is what is returned.
    """
    return factor ** (0.5**sales)


def margin_factors(margins: np.ndarray, power: float) -> np.ndarray:
    """Returns `(margin / median margin) ^ power` of every item, 1 where the margin is not known.

    The median makes the unit of the margins, money or share of the price, irrelevant. Margins
    below `LEAST_MARGIN` of the median, losses among them, count as that.

    Args:
        margins: float `[num_items]`, NaN where not known.
        power: 0 for no influence, 1 for a value proportional to the margin.

    Returns:
        float32 `[num_items]`.
    """
    margins = np.asarray(margins, np.float64)
    positive = margins[np.isfinite(margins) & (margins > 0)]
    if not len(positive):
        return np.ones(len(margins), np.float32)
    relative = np.maximum(margins / np.median(positive), LEAST_MARGIN)
    return np.where(np.isfinite(relative), relative, 1.0).astype(np.float32) ** np.float32(power)
