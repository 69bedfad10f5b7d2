"""Event files of the monitor: TensorBoard reads them, and they stay few."""

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfrec.monitoring.live.event_files import EventFiles, own_files

NOW = 1_700_000_000.0


def accumulate(folder):
    accumulator = EventAccumulator(str(folder), {"tensors": 0})
    accumulator.Reload()
    return accumulator


def scalar_of(accumulator, tag):
    from tensorboard.util import tensor_util

    return [
        (event.wall_time, float(tensor_util.make_ndarray(event.tensor_proto)))
        for event in accumulator.Tensors(tag)
    ]


def test_tensorboard_reads_scalars_histograms_and_texts(tmp_path):
    events = EventFiles(tmp_path / "a" / "b")
    events.write(
        NOW,
        {"rate": 3.0, "nothing": float("nan")},
        {"latency": (np.array([0.0, 1.0, 10.0]), np.array([5.0, 2.0]))},
        {"alerts": "- *something*"},
    )
    events.close()
    found = accumulate(tmp_path / "a" / "b")
    assert set(found.Tags()["tensors"]) == {"rate", "latency", "alerts"}
    assert scalar_of(found, "rate") == [(NOW, 3.0)]
    plugins = {
        tag: found.SummaryMetadata(tag).plugin_data.plugin_name for tag in found.Tags()["tensors"]
    }
    assert plugins == {"rate": "scalars", "latency": "histograms", "alerts": "text"}
    from tensorboard.util import tensor_util

    rows = tensor_util.make_ndarray(found.Tensors("latency")[0].tensor_proto)
    assert rows.tolist() == [[0, 1, 5], [1, 10, 2]]


def test_files_are_rotated_and_the_oldest_removed(tmp_path):
    (tmp_path / "events.out.tfevents.0000000001.host.1.0").write_bytes(b"another program's")
    events = EventFiles(tmp_path, most_bytes=2_000, keep=3)
    for step in range(200):
        events.write(NOW + step, {"rate": step, "errors": 0.0})
    events.close()
    assert len(own_files(tmp_path)) == 3
    assert all(path.stat().st_size < 2_500 for path in own_files(tmp_path).values())
    assert len(list(tmp_path.iterdir())) == 4
    # A hundred and more bytes a moment: the last ones are there, in order.
    (tmp_path / "events.out.tfevents.0000000001.host.1.0").unlink()
    kept = [value for _, value in scalar_of(accumulate(tmp_path), "rate")]
    assert kept == list(range(200 - len(kept), 200)) and len(kept) > 20


def test_many_restarts_leave_few_files_and_lose_little(tmp_path, monkeypatch):
    monkeypatch.setattr("tfrec.monitoring.live.event_files.MOST_FILES", 10)
    for step in range(30):
        events = EventFiles(tmp_path, keep=2)
        events.write(NOW + step, {"rate": step})
        events.close()
    kept = [value for _, value in scalar_of(accumulate(tmp_path), "rate")]
    assert kept == list(range(20, 30))


def test_a_clock_that_goes_back_does_not_hide_what_follows(tmp_path):
    first = EventFiles(tmp_path)
    first.write(NOW, {"rate": 1.0})
    first.write(NOW - 3600, {"rate": 2.0})
    first.close()
    restarted = EventFiles(tmp_path)
    restarted.write(NOW - 7200, {"rate": 3.0})
    restarted.close()
    found = scalar_of(accumulate(tmp_path), "rate")
    assert [value for _, value in found] == [1.0, 2.0, 3.0]
    assert [time for time, _ in found] == sorted(time for time, _ in found)


def test_steps_are_seconds_and_go_on_after_a_restart(tmp_path):
    for seconds in (0, 60, 3600):
        events = EventFiles(tmp_path, most_bytes=200, keep=2)
        events.write(NOW + seconds, {"rate": 1.0})
        events.close()
    steps = [event.step for event in accumulate(tmp_path).Tensors("rate")]
    assert steps == [60, 3600]


def test_a_file_that_was_removed_is_replaced(tmp_path):
    events = EventFiles(tmp_path / "run")
    events.write(NOW, {"rate": 1.0})
    for path in (tmp_path / "run").iterdir():
        path.unlink()
    (tmp_path / "run").rmdir()
    events.write(NOW + 1, {"rate": 2.0})
    events.close()
    assert [value for _, value in scalar_of(accumulate(tmp_path / "run"), "rate")] == [2.0]


def test_a_file_cut_off_by_a_kill_is_left_behind(tmp_path):
    killed = EventFiles(tmp_path)
    killed.write(NOW, {"rate": 1.0})
    (path,) = own_files(tmp_path).values()
    path.write_bytes(path.read_bytes()[:-5])
    restarted = EventFiles(tmp_path)
    restarted.write(NOW + 1, {"rate": 2.0})
    restarted.close()
    assert [value for _, value in scalar_of(accumulate(tmp_path), "rate")] == [2.0]


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, caplog):
    (tmp_path / "run").write_text("a file in the way")
    events = EventFiles(tmp_path / "run")
    for step in range(3):
        events.write(NOW + step, {"rate": 1.0})
    assert len(caplog.records) == 1 and "cannot write event files" in caplog.text
    (tmp_path / "run").unlink()
    events.write(NOW + 9, {"rate": 4.0})
    events.close()
    assert [value for _, value in scalar_of(accumulate(tmp_path / "run"), "rate")] == [4.0]


def test_no_tensorflow_is_loaded(run_python):
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from tfrec.monitoring.live.monitor import Monitor, Sources\n"
        "from tfrec.monitoring.live.config import load_monitor_config\n"
        "monitor = Monitor(Sources({}), load_monitor_config(), Path('out'), [], started=0.0)\n"
        "monitor.look(1.7e9, 0.0)\nmonitor.close()\n"
        "print(len(list(Path('out').iterdir())), 'tensorflow' in sys.modules)\n"
    )
    done = run_python("-c", program)
    assert (done.returncode, done.stdout.split()) == (0, ["1", "False"]), done.stderr


@pytest.mark.parametrize("name", ["events.out.tfevents.1700000000.host.12.0", "notes.txt"])
def test_files_of_others_are_not_its_own(tmp_path, name):
    (tmp_path / name).touch()
    assert own_files(tmp_path) == {}
