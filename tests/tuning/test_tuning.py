"""A tuning of the planted shop: found, kept, gone on with, and refused where it cannot be."""

import json

import pytest
import yaml
from click.testing import CliRunner

from pipelines.tune import command
from tests.training.planted_shop import prepare_planted, small_experiment
from tfrec.config import change_config, dump_config, load_config
from tfrec.errors import UserError
from tfrec.tuning import study
from tfrec.tuning.space import SearchSpace
from tfrec.tuning.study import Tuning

SPACE = {"retrieval.training.learning_rate": {"low": 1e-6, "high": 0.01, "log": True}}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    dataset = prepare_planted(folder, shoppers=120)
    config = change_config(small_experiment(folder), {"retrieval.training.epochs": 2})
    (folder / "config.yaml").write_text(dump_config(config))
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE))
    return folder, dataset, config


@pytest.fixture(scope="module")
def tuned(shop):
    """The result of the command, and the folder of its tuning."""
    folder, dataset, _ = shop
    arguments = [
        *("--data", str(dataset.path), "--space", str(folder / "space.yaml")),
        *("--config", str(folder / "config.yaml"), "--out", str(folder / "tuning")),
        *("--trials", "2", "--json"),
    ]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    return json.loads(done.stdout), folder / "tuning"


def open_tuning(shop, out, **changes):
    folder, dataset, config = shop
    config = change_config(config, changes) if changes else config
    space = SearchSpace.read(folder / "space.yaml", config)
    return Tuning(out, dataset, config, space)


def test_settings_at_hand_come_first_and_the_best_are_kept(shop, tuned):
    found, folder = tuned
    first, second = found["trials"]
    rate = "retrieval.training.learning_rate"
    assert first["settings"][rate] == 0.005
    assert second["settings"][rate] != 0.005
    best = found["trials"][found["best"]]
    assert best["score"] == max(trial["score"] for trial in found["trials"]) > 0
    assert (
        load_config(folder / "best.yaml").retrieval.training.learning_rate
        == (best["settings"][rate])
    )


def test_only_the_best_keeps_its_weights_and_all_keep_their_logs(tuned):
    found, folder = tuned
    for trial in found["trials"]:
        model = folder / trial["folder"] / "retrieval"
        assert (model / "logs").is_dir() and (model / "hparams").is_dir()
        assert bool(list(model.glob("weights*"))) == (trial["number"] == found["best"])


def test_a_finished_tuning_is_not_made_again(shop, tuned):
    found, folder = tuned
    told = []
    with open_tuning(shop, folder).open() as tuning:
        tuning.go_on(2, None, lambda *trial: told.append(trial))
        assert [trial.score for trial in tuning.trials()] == [
            trial["score"] for trial in found["trials"]
        ]
    assert told == []


def test_a_stopped_trial_goes_on_in_its_folder(shop, tmp_path, monkeypatch):
    run_retrieval, folders = study.run_retrieval, []

    def stopped(dataset, folder, config, **options):
        folders.append(folder)
        if len(folders) == 1:
            raise KeyboardInterrupt
        return run_retrieval(dataset, folder, config, **options)

    monkeypatch.setattr(study, "run_retrieval", stopped)
    with (
        pytest.raises(KeyboardInterrupt),
        open_tuning(shop, tmp_path / "t").open() as tuning,
    ):
        tuning.go_on(1, None, lambda *_: None)
    with open_tuning(shop, tmp_path / "t").open() as tuning:
        tuning.go_on(1, None, lambda *_: None)
        assert [trial.state for trial in tuning.trials()] == ["finished"]
    assert folders[0] == folders[1] and len(folders) == 2


def test_a_trial_that_fails_is_told_of_and_not_tried_again(shop, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise UserError("the loss became nan")

    monkeypatch.setattr(study, "run_retrieval", fails)
    told = []
    with open_tuning(shop, tmp_path / "t").open() as tuning:
        tuning.go_on(2, None, lambda last, best: told.append((last.state, last.problem, best)))
        assert tuning.best() is None
    assert told == [("failed", "the loss became nan", None)] * 2
    with open_tuning(shop, tmp_path / "t").open() as tuning:
        tuning.go_on(2, None, lambda *_: told.append(None))
    assert len(told) == 2


def test_one_process_at_a_time(shop, tmp_path):
    with (
        open_tuning(shop, tmp_path / "t").open(),
        pytest.raises(UserError, match="another process is tuning"),
        open_tuning(shop, tmp_path / "t").open(),
    ):
        pass


def test_another_experiment_is_refused(shop, tuned):
    with (
        pytest.raises(UserError, match="holds a tuning of another config"),
        open_tuning(shop, tuned[1], seed=8).open(),
    ):
        pass


def test_settings_of_the_other_model_are_refused(shop, tmp_path):
    _, dataset, config = shop
    path = tmp_path / "space.yaml"
    path.write_text("ranking.candidates: [10, 20]")
    with pytest.raises(UserError, match="is no setting of the retrieval model"):
        Tuning(tmp_path / "t", dataset, config, SearchSpace.read(path, config))


def test_settings_that_trials_are_measured_by_are_refused(shop, tmp_path):
    _, dataset, config = shop
    path = tmp_path / "space.yaml"
    path.write_text("ranking.repeats: [count, exclude]")
    with pytest.raises(UserError, match=r"`ranking.repeats` changes what trials are measured by"):
        Tuning(
            tmp_path / "t", dataset, config, SearchSpace.read(path, config), run=tmp_path / "run"
        )


def test_what_the_first_trial_cannot_take_is_known(shop, tmp_path):
    _, dataset, config = shop
    path = tmp_path / "space.yaml"
    path.write_text("retrieval.dropout: {low: 0.7, high: 0.9}\nretrieval.lstm_layers: [1, 2]")
    tuning = Tuning(tmp_path / "t", dataset, config, SearchSpace.read(path, config))
    assert tuning.not_first == {"retrieval.dropout": config.retrieval.dropout}
