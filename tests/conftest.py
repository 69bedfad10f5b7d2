"""Shared fixtures. tfrec is imported here first, so that no test loads TensorFlow with Keras 3."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tfrec  # noqa: F401

# isort: split
import tensorflow as tf

# Several test processes share the cores, and the models are small: more threads only wait.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    # The test processes are told a width, which commands would take for that of a terminal.
    os.environ.pop("COLUMNS", None)

# A suite started in the background ignores Ctrl-C, and so would every command that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FIRST = (
    "training",
    "notebooks",
    "export",
    "pipelines",
    "serving",
    "towers",
    "api",
    "models",
)
SHARED_FIXTURES = ("training", "notebooks", "export", "api")
ADDRESS_VARIABLE = "TFREC_TFS_ADDRESS"


def piece(test: str) -> str:
    """Returns what goes to one test process as a whole, so that its fixtures are made once.

    That is a file, or one of the folders of `SHARED_FIXTURES`, whose files share trained models.
    """
    file = test.split("::")[0]
    folder = file.split("/")[1]
    return folder if folder in SHARED_FIXTURES else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts first what takes longest, so that no test process ends with it alone."""
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.nodeid.split("/")[1], len(order)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Seeds every test, so that its numbers are the same whatever ran before in its process."""
    tf.keras.utils.set_random_seed(0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands out pieces in the order of the collection."""
    from xdist.scheduler import LoadScopeScheduling

    class Pieces(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return piece(nodeid)

    return Pieces(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says which server the serving tests asked.

    Here and not beside them, because with several test processes the one that reports reads no
    conftest of a folder.
    """
    reports = itertools.chain.from_iterable(terminalreporter.stats.values())
    if not any(getattr(each, "nodeid", "").startswith("tests/serving/") for each in reports):
        return
    address = os.environ.get(ADDRESS_VARIABLE)
    terminalreporter.write_line(
        f"serving conformance: tested against the server at {address}"
        if address
        else "serving conformance: tested against the embedded server, not the official one "
        f"({ADDRESS_VARIABLE} is not set)"
    )


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The project's reference data beside the checkout; tests that need it skip without it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the reference data in ../shared/data")
    return folder


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``python *arguments`` as a user would: a new process, in an empty folder, no settings.

    Keyword arguments become environment variables.
    """

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TF_", "KERAS_", "GRPC_", "PYTEST_"))
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**inherited, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
