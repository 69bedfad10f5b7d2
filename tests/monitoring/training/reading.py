"""Reads event files as TensorBoard does, without its help."""

from pathlib import Path

import numpy as np
import tensorflow as tf


def summaries(folder: Path) -> dict[str, dict[int, np.ndarray]]:
    """Returns every value in the event files of a folder, by tag and step."""
    found: dict[str, dict[int, np.ndarray]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
    return found


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Returns the single numbers among them."""
    return {
        tag: {step: float(value) for step, value in values.items()}
        for tag, values in summaries(folder).items()
        if all(value.shape == () and value.dtype.kind == "f" for value in values.values())
    }
