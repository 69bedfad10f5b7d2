"""TensorBoard event files over wall time that never fill a disk.

Written record by record with TensorBoard's own format, without TensorFlow: a process that runs
for months should not carry it.
"""

import logging
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

MEGABYTE = 1 << 20
MOST_FILES = 100
_NAME = re.compile(r"events\.out\.tfevents\.(\d{10,})\.monitor\.(\d+)")
log = logging.getLogger(__name__)


class EventFiles:
    """Writes summaries into numbered files of one folder, and removes the oldest ones.

    A step is a second since the first look into the folder, which the names of the files carry on.
    TensorBoard reads the files of a folder in the order of their names, and never goes back. So
    names and times never go back here either, even where the clock does.

    Args:
        folder: made if it does not exist; files of other programs in it are left alone.
        most_bytes: size at which a new file is begun.
        keep: how many files of that size are kept, or as much in smaller ones.
    """

    def __init__(self, folder: Path, *, most_bytes: int = 8 * MEGABYTE, keep: int = 8) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self.keep = keep
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self._time = 0.0
        self._start: int | None = None
        self._failing = False

    def write(
        self,
        wall_time: float,
        scalars: Mapping[str, float] | None = None,
        histograms: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """Writes one moment.

        A disk that is full costs this moment and is said once in the log; the next call tries
        again.

        Args:
            wall_time: unix seconds.
            scalars: values by tag; those that are no number are left out.
            histograms: bucket edges `[b + 1]` and counts `[b]` by tag.
            texts: Markdown by tag.
        """
        summary = summary_pb2.Summary()
        for tag, value in (scalars or {}).items():
            if math.isfinite(value):
                summary.value.extend(scalar_pb(tag, float(value)).value)
        for tag, (edges, counts) in (histograms or {}).items():
            summary.value.append(_histogram(tag, edges, counts))
        for tag, text in (texts or {}).items():
            summary.value.extend(text_pb(tag, text).value)
        self._time = max(self._time, wall_time)
        try:
            self._write(summary)
            self._failing = False
        except OSError as error:
            self.close()
            if not self._failing:
                log.error("cannot write event files into %s: %s", self.folder, error)
            self._failing = True

    def close(self) -> None:
        """Closes the file; a further `write` begins a new one."""
        if self._file is not None:
            # What is still in the buffer may not fit on the disk.
            try:
                self._file.close()
            except OSError as error:
                log.error("cannot write event files into %s: %s", self.folder, error)
        self._file = self._path = None

    def _write(self, summary: summary_pb2.Summary) -> None:
        # A file that somebody removed would take everything written to it along.
        gone = self._path is None or not self._path.exists()
        if gone or self._file is None or self._file.tell() >= self.most_bytes:
            self.close()
            self._begin()
        assert self._file is not None and self._start is not None
        self._put(
            event_pb2.Event(
                wall_time=self._time, step=int(self._time) - self._start, summary=summary
            )
        )
        self._file.flush()

    def _put(self, event: event_pb2.Event) -> None:
        RecordWriter(self._file).write(event.SerializeToString())

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        present = own_files(self.folder)
        newest = max(present, default=0)
        number = max(int(self._time), newest + 1)
        if self._start is None:
            self._start = _start_of(present[newest]) if present else number
        path = self.folder / f"events.out.tfevents.{number:010d}.monitor.{self._start}"
        self._file, self._path = path.open("wb"), path
        self._time = max(self._time, float(number))
        self._put(event_pb2.Event(wall_time=self._time, file_version="brain.Event:2"))
        # By size, not by number: a monitor that is often restarted leaves many small files. The
        # new one will grow to its full size.
        room = (self.keep - 1) * self.most_bytes
        for place, old in enumerate(sorted(present, reverse=True), start=2):
            room -= present[old].stat().st_size
            if room < 0 or place > MOST_FILES:
                present[old].unlink(missing_ok=True)


def own_files(folder: Path) -> dict[int, Path]:
    """Returns the files that monitors wrote into a folder, by the number in their names."""
    return {
        int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))
    }


def _start_of(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None, "own files have such names"
    return int(match[2])


def _histogram(tag: str, edges: np.ndarray, counts: np.ndarray) -> summary_pb2.Summary.Value:
    rows = np.stack([edges[:-1], edges[1:], counts], axis=1).astype(np.float64)
    return summary_pb2.Summary.Value(
        tag=tag,
        metadata=histogram_metadata.create_summary_metadata(display_name=None, description=None),
        tensor=tensor_util.make_tensor_proto(rows, dtype=np.float64),
    )
