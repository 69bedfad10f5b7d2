"""Keeps out of notebooks what TensorFlow says about itself, and nobody can act upon."""

import logging

_NOISE = (
    # Every model has functions of its own, and histories of another length are traced anew.
    "triggered tf.function retracing",
    # Every export says so three times, and `export` returns the folders.
    "Assets written to",
    # A training that had ended is opened without its optimiser.
    "being deleted with unrestored values",
    "Value in checkpoint could not be found in the restored object",
)


def _is_told(record: logging.LogRecord) -> bool:
    return not any(text in record.getMessage() for text in _NOISE)


def keep_quiet() -> None:
    """Hides these notes of TensorFlow's logger; all others are shown as before."""
    logger = logging.getLogger("tensorflow")
    if _is_told not in logger.filters:
        logger.addFilter(_is_told)
