"""Runs a stage in a process of its own, so that its memory is its own and is given back after it.

The stage is a `tfrec` command. When the process that started it is gone, killed or not, it ends at
once, so that whoever continues the work is alone with its files.
"""

import contextlib
import ctypes
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from pipelines.cli import main
from pipelines.running import INTERRUPTED
from tfrec.errors import UserError

SECONDS_TO_END = 10.0
WIDTH_OF_A_FILE = 160
_PR_SET_PDEATHSIG = 1


def run_stage(
    arguments: Sequence[object], *, output: Path | None = None, width: int | None = None
) -> None:
    """Runs ``tfrec *arguments``.

    Args:
        arguments: the command and its options.
        output: file for what it prints; by default it goes where ours goes. Errors and progress
            bars go to stderr in any case.
        width: columns of the tables that it prints; by default those of the terminal. A file
            gets wide ones.

    Raises:
        click.exceptions.Exit: with the stage's exit code, after it said on stderr what is wrong.
        UserError: if something killed it.
    """
    # Not above: the stage itself, which imports this module too, has no use for gRPC.
    from serving.child_process import package_environment

    environment = package_environment()
    if width or output:
        environment["COLUMNS"] = str(width if output is None else WIDTH_OF_A_FILE)
    words = [str(argument) for argument in arguments]
    with contextlib.ExitStack() as stack:
        stdout = None if output is None else stack.enter_context(output.open("w"))
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipelines.stage_process", str(os.getpid()), *words],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            env=environment,
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # Ctrl-C went to the stage, too, which says so itself.
            _end(process)
            raise click.exceptions.Exit(INTERRUPTED) from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if code < 0:
        name = " ".join(itertools.takewhile(lambda word: not word.startswith("-"), words))
        raise UserError(
            f"`tfrec {name}` was killed ({signal.Signals(-code).name}), perhaps "
            "because memory ran out; run the same command again to continue"
        )
    if code:
        raise click.exceptions.Exit(code)


def _end(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(SECONDS_TO_END)


def _end_with(parent: int) -> None:
    """Has the system kill this process when the process `parent` ends."""
    # Only Linux can; elsewhere the stage goes on to its end.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    _end_with(int(sys.argv.pop(1)))
    main()
