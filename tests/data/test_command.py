"""`tfrec data prepare` as a user runs it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.shop import small_events, small_items, write_frame, write_small

CONFIG = "data: {valid_days: 10, test_days: 10, context_columns: [country]}\n"
COMMAND = ("-m", "pipelines.data_prepare")


@pytest.fixture
def sources(tmp_path):
    events, items = write_small(tmp_path / "raw")
    config = tmp_path / "raw" / "config.yaml"
    config.write_text(CONFIG)
    return ["--events", str(events), "--items", str(items), "--config", str(config)]


def test_it_prints_the_tables_and_writes_the_folder(tmp_path, run_python, sources):
    process = run_python(*COMMAND, *sources, "--out", "data")
    assert process.returncode == 0, process.stderr
    assert "rows in = rows kept + rows rejected" in process.stdout
    assert "no_target_in_period" in process.stdout
    assert (tmp_path / "data" / "dataset.json").is_file()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("events.csv", b"", "events.csv is empty"),
        ("events.parquet", b"PAR1 cut", "events.parquet is not readable as Parquet"),
        ("events.csv", b"user,item\n1,2\n", "events.csv has no column `user_id`"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(tmp_path, run_python, name, content, message):
    events = tmp_path / "raw" / name
    events.parent.mkdir()
    events.write_bytes(content)
    items = write_frame(small_items(), tmp_path / "raw" / "items.csv")
    process = run_python(*COMMAND, "--events", str(events), "--items", str(items), "--out", "data")
    assert process.returncode == 2
    errors = [line for line in process.stderr.splitlines() if "error: " in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in process.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"raw"}


def test_a_typo_in_the_configuration(tmp_path, run_python, sources):
    Path(sources[-1]).write_text("data: {valid_dayz: 10}\n")
    process = run_python(*COMMAND, *sources, "--out", "data")
    assert process.returncode == 2
    assert "unknown key `data.valid_dayz`; did you mean" in process.stderr
    assert not (tmp_path / "data").exists()


def on_a_small_disk(folder: Path, kilobytes: int, arguments: list[str]):
    """Runs a command with a real, small file system mounted on `folder`, in its own namespace."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare(1) to mount a small disk")
    folder.mkdir()
    inside = f'mount -t tmpfs -o size={kilobytes}k tmpfs "$0" && "$@"; echo "exit $?"; ls -A "$0"'
    process = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside),
            *(str(folder), sys.executable, *arguments),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "exit" not in process.stdout or "mount:" in process.stderr:
        pytest.skip(f"may not mount a small disk here: {process.stderr.strip()[:200]}")
    return process


@pytest.mark.parametrize("kilobytes", [8, 64])
def test_a_full_disk_leaves_nothing_half_written(tmp_path, sources, kilobytes):
    # Some hundred shoppers with long, incompressible ids of items fill the smaller disk while
    # the records are written and the larger one afterwards.
    import numpy as np
    import pandas as pd

    events = pd.concat([small_events()] * 800, ignore_index=True)
    random = np.random.default_rng(0)
    events["user_id"] += random.integers(0, 300, len(events)).astype(str)
    events["timestamp"] += random.integers(0, 86_400, len(events))
    write_frame(events, Path(sources[1]))
    disk = tmp_path / "disk"
    process = on_a_small_disk(disk, kilobytes, [*COMMAND, *sources, "--out", str(disk / "data")])
    assert "exit 2" in process.stdout
    assert process.stdout.split("exit 2")[1].strip() == ""  # the disk is empty again
    assert "no space left on the disk while writing" in process.stderr
    assert "Traceback" not in process.stderr
