"""Fits weights with which several scores are added up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.optimize

from tfrec.progress import progress

PENALTY = 1e-4
HIDDEN = np.float32(-1e9)


@dataclass(frozen=True)
class Scored:
    """Requests with what every part says of every item.

    Attributes:
        parts: float32 `[num_requests, num_items + 1]` each.
        shared: float32 `[num_items + 1, count]`, scores that are the same for every request.
        target: int64 `[num_requests]`, the item that should come first.
        hidden: bool `[num_requests, num_items + 1]`, items that are never shown.
    """

    parts: Sequence[np.ndarray]
    shared: np.ndarray
    target: np.ndarray
    hidden: np.ndarray

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """Returns the weighted sum, float32 `[num_requests, num_items + 1]`, `HIDDEN` where so."""
        count = len(self.parts)
        total = np.tile((self.shared @ weights[count:]).astype(np.float32), (len(self.target), 1))
        for weight, part in zip(weights[:count], self.parts, strict=True):
            total += np.float32(weight) * part
        total[self.hidden] = HIDDEN
        return total

    def loss(self, weights: np.ndarray) -> tuple[float, np.ndarray]:
        """Returns the mean cross-entropy of the targets, and its gradient by the weights."""
        logits = self.scores(weights)
        logits -= logits.max(axis=1, keepdims=True)
        rows = np.arange(len(self.target))
        picked = logits[rows, self.target]
        np.exp(logits, out=logits)
        total = logits.sum(axis=1, keepdims=True)
        loss = float((np.log(total[:, 0]) - picked).mean())
        logits /= total
        logits[rows, self.target] -= 1.0
        slopes = [float(np.vdot(logits, part)) for part in self.parts]
        slopes.extend(logits.sum(axis=0) @ self.shared)
        return loss, np.array(slopes, np.float64) / len(rows)


def most_likely_weights(scored: Scored, description: str) -> np.ndarray:
    """Returns the weights under which a softmax over the catalogue likes the targets best.

    Args:
        scored: the requests; every part should be of the order of 1.
        description: of the progress bar.

    Returns:
        float64 `[parts + shared]`; those of the parts are not below 0.
    """
    count, shared = len(scored.parts), scored.shared.shape[1]
    start = np.array([*[1.0] * count, *[0.0] * shared])
    with progress(description=description, unit="step") as bar:

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            bar.update(1)
            value, slope = scored.loss(weights)
            return value + PENALTY * float(weights @ weights), slope + 2 * PENALTY * weights

        bounds = [(0.0, None)] * count + [(None, None)] * shared
        found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x
