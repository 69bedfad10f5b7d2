"""The deployment files, parsed."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "serving" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"


def kubernetes_objects() -> list[dict[str, Any]]:
    paths = sorted(KUBERNETES.glob("*.yaml"))
    return [one for path in paths for one in yaml.safe_load_all(path.read_text())]


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())


@pytest.fixture
def changed() -> Callable[[Any, tuple[Any, ...], Any], Any]:
    """Returns a copy of a document in which the value at a path is another."""

    def change(document, path, value):
        other = copy.deepcopy(document)
        at = other
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        return other

    return change
