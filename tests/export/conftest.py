"""One small run, exported once, for the tests of the export."""

import pytest
import tensorflow as tf

from tests.export.shop import make_run
from tfrec.export.exporter import export_run
from tfrec.training.loading import TrainedRun


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def trained(run_folder):
    return TrainedRun.open(run_folder)


@pytest.fixture(scope="session")
def models(run_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    export_run(run_folder, folder)
    return folder


@pytest.fixture(scope="session")
def signatures(models):
    """``signatures["retrieval"]["similar"]`` and so on; inputs as keywords."""
    loaded = {path.name: load(path) for path in models.iterdir()}
    return {name: model.signatures for name, model in loaded.items()}


def load(folder):
    """Loads the newest version of a model."""
    newest = max(folder.iterdir(), key=lambda version: int(version.name))
    return tf.saved_model.load(str(newest))
