"""The notebooks that are tested, run ahead of their tests, two at once where there is room."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from notebooks.execute import run
from tests.notebooks.small_shop import parameters_for, trained_small_shop

Executed = Callable[[Path], nbformat.NotebookNode]


@pytest.fixture(scope="session")
def executed(request) -> Iterator[Executed]:
    """Returns a notebook with its outputs on the small shop; all that are wanted run ahead."""
    shop = trained_small_shop()
    wanted = {
        item.callspec.params["path"]
        for item in request.session.items
        if "executed" in item.fixturenames
    }
    # Beside another test process, a second notebook at once would only slow both down.
    at_once = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
    with ThreadPoolExecutor(at_once) as pool:
        runs = {path: pool.submit(run, path, parameters_for(path, shop)) for path in sorted(wanted)}
        yield lambda path: runs[path].result()
        for one in runs.values():
            one.cancel()
