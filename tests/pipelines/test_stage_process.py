"""Stages run in processes of their own, which fail, are killed and end with their parent."""

import os
import signal
import socket
import subprocess
import sys
import time

import click
import psutil
import pytest

from pipelines.stage_process import run_stage
from tests.conftest import ROOT
from tfrec.errors import UserError

WAITING_STAGE = """
import sys
from pipelines.stage_process import run_stage
run_stage(["search", "--server", sys.argv[1], "--query", "x", "--timeout", "60"])
"""


@pytest.fixture
def silent_server():
    """Address of a server that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def waiting(silent_server, tmp_path):
    """A process with a stage below it that waits for a server: the process, and the stage."""
    with subprocess.Popen(
        [sys.executable, "-c", WAITING_STAGE, silent_server],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        try:
            yield parent, wait_for(lambda: stage_below(parent))
        finally:
            parent.kill()


def stage_below(parent):
    stages = [
        child
        for child in psutil.Process(parent.pid).children()
        # Imported so far that it talks to the server, so past the beginning of the program.
        if any(connection.raddr for connection in child.net_connections())
    ]
    return stages[0] if stages else None


def has_ended(process):
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True  # between the two questions


def wait_for(condition, seconds=30.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not come true in {seconds} s")


def test_output_goes_where_it_is_sent(tmp_path, capfd):
    run_stage(["config", "show"], output=tmp_path / "config.yaml")
    assert (tmp_path / "config.yaml").read_text().startswith("seed: ")
    assert capfd.readouterr().out == ""
    run_stage(["config", "show"])
    assert capfd.readouterr().out.startswith("seed: ")


def test_a_folder_named_like_ours_is_not_imported(tmp_path, monkeypatch, capfd):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    run_stage(["config", "show"])
    assert capfd.readouterr().out.startswith("seed: ")


def test_a_mistake_is_said_once_and_its_code_handed_on(capfd):
    with pytest.raises(click.exceptions.Exit) as failure:
        run_stage(["config", "show", "--config", "no.yaml"])
    assert failure.value.exit_code == 2
    assert capfd.readouterr().err == "error: there is no configuration file no.yaml\n"


def test_a_killed_stage_is_said_in_one_sentence(waiting):
    parent, stage = waiting
    stage.send_signal(signal.SIGKILL)
    assert parent.wait(30) == 1  # The script lets the UserError through; the command would not.
    last = parent.stderr.read().strip().splitlines()[-1]
    assert last == (
        f"{UserError.__module__}.UserError: `tfrec search` was killed (SIGKILL), perhaps "
        "because memory ran out; run the same command again to continue"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_stage_ends_with_a_killed_parent(waiting):
    parent, stage = waiting
    assert stage.is_running()
    parent.send_signal(signal.SIGKILL)
    parent.wait(30)
    wait_for(lambda: has_ended(stage), 5.0)


def test_ctrl_c_ends_both_and_leaves_the_word_to_the_stage(waiting):
    parent, stage = waiting
    # As a terminal does: to every process of the group.
    stage.send_signal(signal.SIGINT)
    parent.send_signal(signal.SIGINT)
    parent.wait(30)
    errors = parent.stderr.read()
    assert "interrupted\n" in errors
    assert "click.exceptions.Exit: 130" in errors
