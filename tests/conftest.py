"""Shared fixtures. tfrec is imported here first, so that no test loads TensorFlow with Keras 3."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tfrec  # noqa: F401

# Several test processes share the cores, and the models are small: more threads only wait.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Gives whole files to the test processes, so that fixtures are made once, longest first.

    The folders of `SHARED_FIXTURES` have models that all their files use, so each is one piece.
    """

    def folder(item: pytest.Item) -> str:
        return item.path.relative_to(ROOT / "tests").parts[0]

    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        group = folder(item) if folder(item) in SHARED_FIXTURES else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(folder(item), len(order)))


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
