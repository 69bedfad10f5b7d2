"""A folder of TensorBoard event files that a training writes, and goes on writing when resumed."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event, SessionLog

EVENT_FILES = "events.out.tfevents.*"


class EventLog:
    """Writes summaries into one folder of event files.

    A process that was killed may have written steps that the resumed training takes again. A
    resumed log therefore begins with the session record by which TensorBoard drops what is behind
    the step that training goes on from.

    Args:
        folder: the folder; made with the first event.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None

    @property
    def is_open(self) -> bool:
        """Whether something can be written."""
        return self._writer is not None

    def open(self, step: int, *, resumed: bool = False) -> None:
        """Begins an event file.

        Args:
            step: optimiser steps so far.
            resumed: whether what is in the folder behind `step` is no longer true.
        """
        self._writer = tf.summary.create_file_writer(str(self.folder))
        if resumed:
            event = Event(
                wall_time=time.time(),
                # The validation at `step` itself stays.
                step=step + 1,
                session_log=SessionLog(status=SessionLog.START),
            )
            tf.raw_ops.ImportEvent(writer=self._writer._resource, event=event.SerializeToString())

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Writes a number, NaN included."""
        with self._writer.as_default():
            tf.summary.scalar(tag, value, step=step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Writes the distribution of `values`; nothing where there are none."""
        if len(values):
            with self._writer.as_default():
                tf.summary.histogram(tag, values, step=step)

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Writes text that TensorBoard shows as Markdown."""
        with self._writer.as_default():
            tf.summary.text(tag, markdown, step=step)

    def image(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """Writes an image, uint8 `[height, width, 3]`."""
        with self._writer.as_default():
            tf.summary.image(tag, pixels[np.newaxis], step=step)

    def graph(self, graph: tf.Graph) -> None:
        """Writes a graph."""
        with self._writer.as_default():
            tf.summary.graph(graph)

    def summaries(self, summaries: Sequence[Any], step: int) -> None:
        """Writes `Summary` messages that TensorBoard's plugins made."""
        with self._writer.as_default():
            for summary in summaries:
                tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=step)

    def flush(self) -> None:
        """Makes everything so far visible to a TensorBoard that is watching."""
        self._writer.flush()

    def close(self) -> None:
        """Ends the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
