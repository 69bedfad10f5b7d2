"""What a generation does beside the trainings."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.training.planted_shop import prepare_planted
from tfrec.config import ExperimentConfig
from tfrec.errors import UserError
from tfrec.files import write_json
from tfrec.training.surfaces import FITTED, SURFACES
from tfrec.updating import generation as module
from tfrec.updating import refitting
from tfrec.updating.generation import VERDICT, Generation


@pytest.fixture
def generation(tmp_path):
    dataset = prepare_planted(tmp_path / "planted", shoppers=30)
    (tmp_path / "generation").mkdir()
    (tmp_path / "generation" / "data").symlink_to(dataset.path)
    return Generation(
        folder=tmp_path / "generation",
        number=3,
        parent_data=dataset.path,
        champion_version=1,
        champion_run=tmp_path / "champion",
        champion_data=dataset.path,
        cache=tmp_path / "cache",
        config=ExperimentConfig(update={"train_days": 0}),
    )


def test_surfaces_are_fitted_anew_where_the_champion_has_any(generation, monkeypatch):
    fitted = []

    def fit(run, data, *, overwrite, settings):
        fitted.append((run, data, overwrite, settings.surfaces))

    monkeypatch.setattr(refitting, "run_surfaces", fit)
    generation.refit("run")
    assert fitted == []
    write_json(generation.champion_run / SURFACES / FITTED, {})
    generation.refit("run")
    surfaces = generation.config.surfaces
    assert fitted == [(generation.folder / "run", generation.dataset.path, True, surfaces)]


def test_what_is_trained_is_not_trained_again(generation, monkeypatch):
    trained = []

    def train(*given):
        trained.append(given[4].seed)
        return SimpleNamespace(facts=dict)

    monkeypatch.setattr(module, "update_retrieval", train)
    generation.__dict__ |= {"champion": SimpleNamespace(retrieval=None), "vectors": None}
    monkeypatch.setattr(Generation, "_sample", lambda self: None)
    generation.train_retrieval()
    generation.train_retrieval()
    assert trained == [ExperimentConfig().seed + generation.number]


def test_models_that_cannot_be_trained_leave_a_reason(generation, monkeypatch):
    def diverges():
        raise UserError("Retrieval: the loss became nan in epoch 1")

    monkeypatch.setattr(generation, "train_retrieval", diverges)
    monkeypatch.setattr(Generation, "_waiting_days", 7)
    monkeypatch.setattr(Generation, "_recounted", lambda self, trained: trained)
    verdict = generation.verdict(lambda name: None)
    assert not verdict.passed
    assert verdict.reason == "no new models: Retrieval: the loss became nan in epoch 1"
    # The verdict is there for the next call, which trains nothing.
    monkeypatch.setattr(generation, "train_retrieval", None)
    assert generation.verdict(lambda name: None) == verdict


def test_a_full_disk_is_no_verdict(generation, monkeypatch):
    def fills_the_disk():
        raise UserError("no space left on the disk") from OSError(28, "No space left on device")

    monkeypatch.setattr(generation, "train_retrieval", fills_the_disk)
    monkeypatch.setattr(Generation, "_waiting_days", 7)
    with pytest.raises(UserError, match="no space left"):
        generation.verdict(lambda name: None)
    assert not (generation.folder / VERDICT).exists()


def test_training_is_forgotten_but_not_the_batch_and_the_data(tmp_path):
    for name in ("batch", "data", "sample", "run", "served"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "file.npy", np.zeros(1))
    write_json(tmp_path / VERDICT, {})
    Generation.forget_training(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["batch", "data"]
