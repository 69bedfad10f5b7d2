"""Notes of TensorFlow that nobody can act upon are hidden, and no others."""

import logging

import tensorflow as tf

import tfrec.api.noise


def test_only_known_notes_are_hidden(caplog):
    tfrec.api.noise.keep_quiet()
    logger = tf.get_logger()
    assert logger.filters.count(tfrec.api.noise._is_told) == 1
    with caplog.at_level(logging.WARNING, logger="tensorflow"):
        logger.addHandler(caplog.handler)
        try:
            logger.warning("5 out of the last %d calls triggered tf.function retracing.", 7)
            logger.warning("Value in checkpoint could not be found in the restored object: x")
            logger.warning("the disk is on fire")
        finally:
            logger.removeHandler(caplog.handler)
    assert {record.getMessage() for record in caplog.records} == {"the disk is on fire"}
