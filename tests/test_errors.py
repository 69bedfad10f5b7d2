"""A user's mistake is one sentence on stderr and exit code 2; a defect keeps its stack trace."""

import errno
import signal
import subprocess
import sys

import click
import pytest

from pipelines.running import run
from tests.conftest import ROOT
from tfrec.errors import UserError


def outcome(capsys, action, arguments=()):
    """Runs a command that calls `action`; returns its exit code, stdout and stderr."""

    @click.command()
    @click.option("--count", type=int)
    def command(count):
        return action()

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as raised:
        patch.setattr(sys, "argv", ["tfrec", *arguments])
        run(command, prog_name="tfrec")
    captured = capsys.readouterr()
    return raised.value.code, captured.out, captured.err


def raising(error):
    def action():
        raise error

    return action


def test_success(capsys):
    assert outcome(capsys, lambda: click.echo("hello")) == (0, "hello\n", "")


def test_exit_code_of_the_command(capsys):
    assert outcome(capsys, lambda: 3) == (3, "", "")


def test_user_error(capsys):
    code, out, err = outcome(capsys, raising(UserError("there is no file x; name another")))
    assert (code, out, err) == (2, "", "error: there is no file x; name another\n")


def test_user_error_stays_on_one_line(capsys):
    _, _, err = outcome(capsys, raising(UserError("bad\n  value")))
    assert err == "error: bad value\n"


def test_usage_error(capsys):
    code, _, err = outcome(capsys, lambda: None, ["--count", "many"])
    assert code == 2
    assert err == (
        "error: invalid value for '--count': 'many' is not a valid integer; see `tfrec --help`\n"
    )


def test_full_disk_outside_of_atomic_files(capsys):
    error = OSError(errno.ENOSPC, "No space left on device", "/data/log")
    assert outcome(capsys, raising(error)) == (
        2,
        "",
        "error: no space left on the disk while writing /data/log; free some space and run the "
        "command again\n",
    )


def test_an_argument_that_is_no_text(capsys):
    """Bytes that are not UTF-8 reach Python as lone surrogates, which nothing can send."""
    query = b"caf\xe9".decode("utf-8", "surrogateescape")

    @click.command()
    @click.option("--query")
    def command(query):
        query.encode()

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as raised:
        patch.setattr(sys, "argv", ["tfrec", "--query", query])
        run(command, prog_name="tfrec")
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(r"error: the argument 'caf\udce9' is not UTF-8 text (")


@pytest.mark.parametrize("error", [ValueError("defect"), OSError(errno.EIO, "I/O error")])
def test_defects_are_not_hidden(monkeypatch, error):
    @click.command()
    def command():
        raise error

    monkeypatch.setattr(sys, "argv", ["tfrec"])
    with pytest.raises(type(error)) as raised:
        run(command)
    assert raised.value is error


def test_interrupt(tmp_path):
    program = (
        "import click, time\n"
        "from pipelines.running import run\n"
        "@click.command()\n"
        "def command():\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "run(command)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.strip() == "interrupted"
