"""One small run, exported once, for the tests of the export."""

import shutil

import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner

from pipelines import export
from tests.export.shop import SOLD_OUT, make_run
from tfrec.export.refresh import refresh_index
from tfrec.training.loading import TrainedRun

NEW_ITEMS = pd.DataFrame(
    {
        "item_id": ["new-1", "item-04", SOLD_OUT, "item-00", "new-2", "", "new-1"],
        "title": [
            *["green heart", "usb c cable", "blue lamp", "red cotton dress", "red lamp. Delft"],
            *["", "x"],
        ],
        "price": [3.5, 4.5, 4.0, 1.5, None, 1.0, 2.0],
        "available": [True, True, True, True, False, True, True],
    }
)  # fmt: skip


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def trained(run_folder):
    return TrainedRun.open(run_folder)


@pytest.fixture(scope="session")
def export_command(run_folder, tmp_path_factory):
    """The folder that the command `tfrec export` wrote, and what it said."""
    folder = tmp_path_factory.mktemp("exported") / "models"
    arguments = ["--run", str(run_folder), "--models", str(folder)]
    done = CliRunner().invoke(export.command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return folder, done.stdout


@pytest.fixture(scope="session")
def models(export_command):
    return export_command[0]


@pytest.fixture(scope="session")
def signatures(models):
    """``signatures["retrieval"]["similar"]`` and so on; inputs as keywords."""
    loaded = {path.name: load(path) for path in models.iterdir()}
    return {name: model.signatures for name, model in loaded.items()}


def load(folder):
    """Loads the newest version of a model."""
    newest = max(folder.iterdir(), key=lambda version: int(version.name))
    return tf.saved_model.load(str(newest))


def write(folder, frame=NEW_ITEMS):
    path = folder / "new.parquet"
    frame.to_parquet(path, index=False)
    return path


@pytest.fixture(scope="session")
def refreshed(models, tmp_path_factory):
    """The exported models after a refresh, and what the refresh said."""
    folder = tmp_path_factory.mktemp("refresh")
    shutil.copytree(models, folder / "models")
    result = refresh_index(folder / "models", write(folder))
    return folder / "models", result
