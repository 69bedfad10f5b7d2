"""The small shop of the export's tests, opened as a notebook would."""

import pytest

import tfrec
from tests.export.shop import make_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def recommender(run_folder):
    return tfrec.Recommender.load(run_folder)


@pytest.fixture(scope="session")
def dataset(run_folder):
    return tfrec.load_dataset(run_folder.parent / "data")
