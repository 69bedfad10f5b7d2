"""The view of the text tower: how far fine-tuning has moved it from where it started."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import View
from tfrec.monitoring.training.observer import ValidationReport


class TextDriftView(View):
    """Writes the drift of text vectors, and of the weights of every layer.

    A little drift is learning; a lot of it forgets what BERT knew, and with it the items that
    training never saw.

    Args:
        log: where to write.
        vectors: returns float `[num_items, dimension]`, the unit text vectors as they are.
        layers: the trained variables of every layer of the text tower, with the weights that the
            training started from.
    """

    def __init__(
        self,
        log: EventLog,
        vectors: Callable[[], np.ndarray],
        layers: Mapping[str, Sequence[tf.Variable]],
    ) -> None:
        self._log = log
        self._vectors = vectors
        self._layers = layers
        # Before a killed training is restored, which is when views are made.
        self._first_vectors = np.array(vectors())
        self._first_weights = {
            name: [variable.numpy() for variable in variables] for name, variables in layers.items()
        }

    def validated(self, report: ValidationReport) -> None:
        """Writes ``text_drift/…``: 1 - cosine of vectors, relative distance of weights."""
        distance = 1.0 - np.sum(self._vectors() * self._first_vectors, axis=1)
        self._log.histogram("text_drift/vectors", distance, report.step)
        self._log.scalar("text_drift/mean_of_vectors", float(distance.mean()), report.step)
        for name, variables in self._layers.items():
            drift = relative_distance(
                [variable.numpy() for variable in variables], self._first_weights[name]
            )
            self._log.scalar(f"text_drift/weights_{name}", drift, report.step)


def relative_distance(now: Sequence[np.ndarray], before: Sequence[np.ndarray]) -> float:
    """Returns how far weights have moved, as a share of their own norm."""
    moved = sum(float(np.sum(np.square(a - b))) for a, b in zip(now, before, strict=True))
    norm = sum(float(np.sum(np.square(b))) for b in before)
    return float(np.sqrt(moved / max(norm, 1e-12)))
