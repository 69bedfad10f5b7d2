"""Event logs: resumed without overlap, whole after a kill, beside the files of others."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from tests.conftest import ROOT
from tfrec.monitoring.training.event_log import EventLog


def shown(folder, tag="loss"):
    """What TensorBoard shows of a tag: its steps and values."""
    reader = EventAccumulator(str(folder), tensor_size_guidance={"scalars": 0})
    reader.Reload()
    if tag not in reader.Tags()["tensors"]:
        return {}
    return {event.step: float(tf.make_ndarray(event.tensor_proto)) for event in reader.Tensors(tag)}


def write(folder, first, last, value, resumed_at=0):
    log = EventLog(folder)
    log.open(resumed_at)
    for number in range(first, last + 1):
        log.scalar("loss", value, number)
    log.close()


def test_steps_that_are_taken_again_replace_those_of_the_killed_process(tmp_path):
    write(tmp_path, 1, 10, 1.0)
    write(tmp_path, 6, 8, 2.0, resumed_at=5)
    assert shown(tmp_path) == dict.fromkeys(range(1, 6), 1.0) | dict.fromkeys(range(6, 9), 2.0)


def test_a_clock_that_went_back(tmp_path, monkeypatch):
    write(tmp_path, 1, 3, 1.0)
    monkeypatch.setattr("time.time", lambda: 1000.5)
    write(tmp_path, 3, 4, 2.0, resumed_at=2)
    assert shown(tmp_path) == {1: 1.0, 2: 1.0, 3: 2.0, 4: 2.0}


def test_the_validation_where_the_training_goes_on_stays(tmp_path):
    write(tmp_path, 5, 5, 1.0)
    write(tmp_path, 6, 6, 2.0, resumed_at=5)
    assert shown(tmp_path) == {5: 1.0, 6: 2.0}


WRITE_AND_DIE = """
import os, sys
from pathlib import Path
import tfrec
from tfrec.monitoring.training.event_log import EventLog

log = EventLog(Path(sys.argv[1]))
log.open(0)
for step in range(1, 11):
    log.scalar("loss", 1.0, step)
log.flush()
os.kill(os.getpid(), 9)
"""


def test_a_process_killed_while_writing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WRITE_AND_DIE, tmp_path], env={"PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == -9
    (path,) = tmp_path.glob("events.out.tfevents.*")
    # In the middle of the last record.
    path.write_bytes(path.read_bytes()[:-7])
    assert shown(tmp_path) == dict.fromkeys(range(1, 10), 1.0)
    write(tmp_path, 8, 9, 2.0, resumed_at=7)
    assert shown(tmp_path) == dict.fromkeys(range(1, 8), 1.0) | {8: 2.0, 9: 2.0}


def test_event_files_of_another_program_stay_as_they_are(tmp_path):
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        tf.summary.scalar("theirs", 5.0, step=1000)
    (tmp_path / "events.out.tfevents.1.rubbish").write_bytes(b"no records in here")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    write(tmp_path, 1, 3, 1.0)
    assert shown(tmp_path) == dict.fromkeys(range(1, 4), 1.0)
    assert shown(tmp_path, "theirs") == {1000: 5.0}
    assert all(path.read_bytes() == content for path, content in before.items())


def test_no_event_files_before_a_resumed_log(tmp_path):
    """Somebody removed them to make room; the training goes on."""
    write(tmp_path / "new", 6, 7, 2.0, resumed_at=5)
    assert shown(tmp_path / "new") == {6: 2.0, 7: 2.0}


def test_what_is_flushed_is_visible_before_the_end(tmp_path):
    log = EventLog(tmp_path)
    assert not log.is_open
    log.open(0)
    log.scalar("loss", 3.0, 1)
    log.flush()
    assert shown(tmp_path) == {1: 3.0}
    log.close()
    log.close()
    assert not log.is_open


def test_a_number_that_is_none(tmp_path):
    write(tmp_path, 1, 1, float("nan"))
    assert np.isnan(shown(tmp_path)[1])


def test_nothing_to_make_a_histogram_of(tmp_path):
    log = EventLog(tmp_path)
    log.open(0)
    log.histogram("loss", np.zeros(0), 1)
    log.close()
    assert shown(tmp_path) == {}


def test_a_closed_log_takes_nothing(tmp_path):
    with pytest.raises(ValueError, match="not open"):
        EventLog(tmp_path).scalar("loss", 1.0, 1)
