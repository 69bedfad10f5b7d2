"""A model config file that is corrected while the server waits for what it named before."""

import logging
import time

import pytest

from serving.server.config_files import read_model_config
from serving.server.config_watcher import ConfigWatcher
from serving.server.manager import ModelManager
from tests.serving.test_served_model import Loader, publish


def eventually(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def config(tmp_path):
    """Writes a config file with these models' paths below the folder; returns the file."""
    path = tmp_path / "models.config"

    def write(**models):
        entries = "".join(
            f'config {{ name: "{name}" base_path: "{tmp_path / base}" '
            'model_platform: "tensorflow" }\n'
            for name, base in models.items()
        )
        part = tmp_path / "part"
        part.write_text(f"model_config_list {{ {entries} }}")
        part.replace(path)
        return path

    return write


def test_a_path_that_was_mistyped_may_be_corrected(tmp_path, config, caplog):
    for name in ("a", "b"):
        publish(tmp_path / name, 1)
    path = config(a="a")
    manager = ModelManager(read_model_config(path), Loader(), poll_seconds=3600.0)
    manager.load_once()
    manager.watch()
    watcher = ConfigWatcher(path, manager, 0.01)
    try:
        with caplog.at_level(logging.INFO, logger="serving.server"):
            config(a="a", b="typo")
            eventually(lambda: "b" in manager.models)
            config(a="a", b="b")
            eventually(lambda: manager.models["b"].available() == [1])
            eventually(lambda: "is applied" in caplog.text)
        # Of the mistyped one it is not said.
        assert caplog.text.count("is applied") == 1
    finally:
        watcher.stop()
        manager.close(5)
