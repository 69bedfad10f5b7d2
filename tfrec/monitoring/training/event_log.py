"""A folder of TensorBoard event files that a training writes, and goes on writing when resumed."""

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

if TYPE_CHECKING:
    import tensorflow as tf

FORMAT = "brain.Event:2"
_NAME = re.compile(r"events\.out\.tfevents\.(\d+)\..*")


class EventLog:
    """Writes summaries into one folder of event files.

    A process that was killed may have written steps that the resumed training takes again. Every
    file therefore begins with a session record; from the second one on, TensorBoard drops what
    earlier files hold behind its step. It reads files in the order of the numbers in their names,
    which are times, but here never go back, even where the clock does.

    Everything of one step goes into one event: the operations of `tf.summary` take a millisecond
    for every number, which short epochs would feel.

    Args:
        folder: the folder; made with the first event.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: BinaryIO | None = None
        self._pending = Summary()
        self._step = 0

    @property
    def is_open(self) -> bool:
        """Whether something can be written."""
        return self._file is not None

    def open(self, step: int) -> None:
        """Begins an event file.

        Args:
            step: optimiser steps so far; what the folder holds of later ones is no longer true.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        numbers = [
            int(match[1]) for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))
        ]
        number = max(int(time.time()), max(numbers, default=0) + 1)
        path = self.folder / f"events.out.tfevents.{number:010d}.{os.getpid()}"
        self._file = path.open("xb")
        self._add(Event(file_version=FORMAT))
        # The validation at `step` itself stays.
        self._add(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Writes a number, NaN included."""
        self.summaries([scalar_pb(tag, value)], step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Writes the distribution of `values`; nothing where there are none."""
        if len(values):
            self.summaries([histogram_pb(tag, values)], step)

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Writes text that TensorBoard shows as Markdown."""
        self.summaries([text_pb(tag, markdown)], step)

    def image(self, tag: str, png: bytes, size: tuple[int, int], step: int) -> None:
        """Writes a picture.

        Args:
            tag: its name.
            png: the file.
            size: width and height, in pixels.
            step: optimiser steps so far.
        """
        metadata = image_metadata.create_summary_metadata(display_name=None, description=None)
        width, height = size
        tensor = make_tensor_proto(
            [str(width).encode(), str(height).encode(), png], dtype=np.object_
        )
        self.summaries(
            [Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])], step
        )

    def graph(self, graph: "tf.Graph") -> None:
        """Writes a graph."""
        self._add(Event(graph_def=graph.as_graph_def(add_shapes=True).SerializeToString()))

    def summaries(self, summaries: Sequence[Any], step: int) -> None:
        """Writes `Summary` messages, those of TensorBoard's plugins or of TensorFlow.

        Raises:
            ValueError: if the log is not open.
        """
        if self._file is None:
            raise ValueError("the event log is not open")
        if step != self._step:
            self._write_pending()
            self._step = step
        for summary in summaries:
            self._pending.MergeFromString(summary.SerializeToString())

    def flush(self) -> None:
        """Makes everything so far visible to a TensorBoard that is watching."""
        if self._file is not None:
            self._write_pending()
            self._file.flush()

    def close(self) -> None:
        """Ends the event file."""
        if self._file is not None:
            self._write_pending()
            self._file.close()
            self._file = None

    def _write_pending(self) -> None:
        if self._pending.value:
            self._add(Event(step=self._step, summary=self._pending))
            self._pending = Summary()

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        RecordWriter(self._file).write(event.SerializeToString())
