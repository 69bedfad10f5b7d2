"""Event files as a table."""

import time

import pytest
import tensorflow as tf

import tfrec
from tfrec.errors import UserError


def test_scalars_of_both_models(tmp_path):
    before = time.time()
    for model, values in (("retrieval", [0.5, 0.25]), ("ranking", [2.0])):
        writer = tf.summary.create_file_writer(str(tmp_path / model / "logs"))
        with writer.as_default():
            for step, value in enumerate(values):
                tf.summary.scalar("loss/all", value, step=step)
            tf.summary.text("note", "no scalar", step=0)
        writer.close()
    frame = tfrec.read_scalars(tmp_path)
    assert frame.pop("time").between(before, time.time()).all()
    assert frame.to_numpy().tolist() == [
        ["ranking", "loss/all", 0, 2.0],
        ["retrieval", "loss/all", 0, 0.5],
        ["retrieval", "loss/all", 1, 0.25],
    ]


def test_no_logs(tmp_path):
    with pytest.raises(UserError, match="no logs of a training"):
        tfrec.read_scalars(tmp_path)
