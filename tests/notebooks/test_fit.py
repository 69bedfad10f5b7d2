"""Fitting in a notebook trains what the commands train, and trains it once."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import tfrec
from tests.notebooks.small_shop import trained_small_shop
from tfrec.config import dump_config
from tfrec.errors import UserError


@pytest.fixture(scope="module")
def shop():
    """A corner of the shipped data, trained by `fit`; the notebooks share it."""
    return trained_small_shop()


@pytest.fixture(scope="module")
def config(shop):
    return tfrec.configure(shop.config)


@pytest.fixture(scope="module")
def dataset(shop):
    return tfrec.load_dataset(shop.work / "data")


@pytest.fixture(scope="module")
def fitted(shop):
    return tfrec.Recommender.load(shop.work / "run")


def test_the_commands_run_the_same_stages(dataset, config, tmp_path, monkeypatch):
    """With the same arguments, that is; what the stages do is tested with them."""
    from pipelines import train_ranking, train_retrieval
    from tfrec.training import stages
    from tfrec.training.run import RunDirectory

    class StoppedError(Exception):
        pass

    def recorder(name):
        def stage(dataset, out, config, *, seed=None, overwrite=False, **_):
            calls.append((name, dataset.checksum, Path(out), config, seed or config.seed))
            raise StoppedError

        return stage

    calls: list[tuple] = []
    for name in ("run_retrieval", "run_ranking"):
        monkeypatch.setattr(f"tfrec.api.recommender.{name}", recorder(name))
        monkeypatch.setattr(stages, name, recorder(name))
    monkeypatch.setattr(RunDirectory, "open", lambda path, model: None)
    file, run = tmp_path / "experiment.yaml", tmp_path / "run"
    file.write_text(dump_config(config))
    arguments = ["--data", dataset.path, "--out", run, "--config", file]
    for module in (train_retrieval, train_ranking):
        result = CliRunner().invoke(module.command, [str(argument) for argument in arguments])
        assert isinstance(result.exception, StoppedError), result.output
    with pytest.raises(StoppedError):
        tfrec.Recommender(file).fit(dataset.path, run=run)
    monkeypatch.setattr(RunDirectory, "is_finished", lambda path, model, *_: model == "retrieval")
    with pytest.raises(StoppedError):
        tfrec.Recommender(file).fit(dataset.path, run=run)
    assert [call[0] for call in calls] == ["run_retrieval", "run_ranking"] * 2
    assert calls[:2] == calls[2:]


def test_a_fitted_recommender_answers(fitted, dataset):
    assert repr(fitted).startswith(f"Recommender of {dataset.num_items} items, trained in ")
    best = dataset.items.nlargest(1, "train_events")["item_id"].tolist()
    assert len(fitted.recommend(best, k=5)) == 5


def test_fitting_again_opens_what_is_there(fitted, dataset, config):
    run = dataset.path.parent / "run"
    records = {path: path.read_text() for path in run.glob("*/run.json")}
    again = tfrec.Recommender(config).fit(dataset.path, run=run)
    assert {path: path.read_text() for path in run.glob("*/run.json")} == records
    assert again.recommend(k=3).to_frame().equals(fitted.recommend(k=3).to_frame())


def test_other_settings_need_overwrite(fitted, dataset, config):
    other = tfrec.Recommender(tfrec.configure(config, {"retrieval.dropout": 0.1}))
    with pytest.raises(UserError, match="already holds a finished run"):
        other.fit(dataset, run=dataset.path.parent / "run")
    # Another ranking leaves the retrieval model that is there alone.
    run = dataset.path.parent / "run"
    before = (run / "retrieval" / "run.json").read_text()
    third = tfrec.Recommender(tfrec.configure(config, {"ranking.dropout": 0.2}))
    with pytest.raises(UserError, match="already holds"):
        third.fit(dataset, run=run)
    assert (run / "retrieval" / "run.json").read_text() == before
    assert yaml.safe_load((run / "ranking" / "config.yaml").read_text())["ranking"]["dropout"] == (
        0.1
    )
