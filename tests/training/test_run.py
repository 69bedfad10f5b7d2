"""A run keeps what it was made from, continues when it was killed, and refuses the rest."""

import json

import pytest

import tfrec
from tfrec.config import ExperimentConfig, load_config
from tfrec.errors import UserError
from tfrec.training.run import RunDirectory

CHECKSUM = "a" * 64
OTHER_CHECKSUM = "b" * 64


@pytest.fixture
def create(tmp_path):
    """Creates a run with the given changes to otherwise equal settings."""

    def make(**changes):
        settings = {
            "path": tmp_path / "run",
            "model_name": "retrieval",
            "config": ExperimentConfig(seed=7),
            "dataset_path": tmp_path / "data",
            "dataset_checksum": CHECKSUM,
            "seed": 7,
        }
        return RunDirectory.create(**{**settings, **changes})

    return make


def test_record_of_a_new_run(create, tmp_path):
    run = create()
    assert run.path == tmp_path / "run" / "retrieval"
    assert sorted(path.name for path in run.path.iterdir()) == ["config.yaml", "run.json"]
    record = json.loads((run.path / "run.json").read_text())
    assert record["seed"] == 7
    assert record["dataset"] == {"path": str(tmp_path / "data"), "checksum": CHECKSUM}
    assert record["status"] == "training"
    assert record["tfrec"] == tfrec.__version__
    assert record["packages"]["tensorflow"].startswith("2.20.")
    assert record["packages"]["keras-nlp"].startswith("0.12.")
    assert load_config(run.path / "config.yaml") == ExperimentConfig(seed=7)
    assert not run.resumed and not run.finished


def test_relative_data_path_is_found_from_anywhere(create, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert create(dataset_path="data").dataset_path == tmp_path / "data"


def test_finished_run_opens_with_what_it_recorded(create, tmp_path):
    run = create()
    run.update(steps=10, dataset={"shoppers": 3})
    run.finish({"ndcg@20": 0.25}, best_epoch=2)
    opened = RunDirectory.open(tmp_path / "run", "retrieval")
    assert opened.metrics == {"ndcg@20": 0.25}
    assert (opened.record["steps"], opened.record["best_epoch"]) == (10, 2)
    assert opened.record["dataset"]["shoppers"] == 3
    assert opened.dataset_checksum == CHECKSUM
    assert opened.seed == 7 and opened.finished
    assert opened.config == ExperimentConfig(seed=7)
    assert opened.record["finished"] >= opened.record["started"]


def test_run_of_an_earlier_version_opens(create, tmp_path):
    run = create()
    run.finish({})
    file = run.path / "config.yaml"
    text = file.read_text(encoding="utf-8")
    assert "\nupdate:\n" in text
    changed = text.replace("\nupdate:\n", "\nupdate:\n  validation_shoppers: 500\n")
    file.write_text(changed, encoding="utf-8")
    assert RunDirectory.open(tmp_path / "run", "retrieval").config == ExperimentConfig(seed=7)


def test_several_models_share_a_run(create, tmp_path):
    create().finish({})
    create(model_name="ranking").finish({})
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["ranking", "retrieval"]


def test_unfinished_run_of_the_same_settings_is_continued(create):
    first = create()
    (first.path / "checkpoint").write_text("weights")
    again = create()
    assert again.resumed
    assert (again.path / "checkpoint").read_text() == "weights"


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"seed": 8}, "an unfinished run with seed 7"),
        ({"config": ExperimentConfig(seed=8)}, "an unfinished run with another configuration"),
        ({"dataset_checksum": OTHER_CHECKSUM}, "an unfinished run on other data"),
    ],
)
def test_unfinished_run_of_other_settings_is_kept_unless_told(create, changes, difference):
    first = create()
    (first.path / "checkpoint").write_text("weights")
    with pytest.raises(UserError) as raised:
        create(**changes)
    assert f"{first.path} already holds {difference}" in str(raised.value)
    assert "choose another --out, or add --overwrite" in str(raised.value)
    assert (first.path / "checkpoint").exists()

    replaced = create(**changes, overwrite=True)
    assert not replaced.resumed
    assert not (replaced.path / "checkpoint").exists()


def test_finished_run_is_kept_unless_told(create):
    create().finish({})
    with pytest.raises(UserError, match="already holds a finished run; choose another --out"):
        create()
    assert not create(overwrite=True).finished


def test_overwrite_still_continues_what_can_be_continued(create):
    create()
    assert create(overwrite=True).resumed


def test_folder_of_something_else_is_kept(create, tmp_path):
    folder = tmp_path / "run" / "retrieval"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="already holds something that is not a run"):
        create()
    assert (folder / "thesis.txt").exists()


def test_missing_run(tmp_path):
    with pytest.raises(UserError, match=r"there is no run folder .*nowhere; make one with `tfrec"):
        RunDirectory.open(tmp_path / "nowhere", "retrieval")


def test_missing_model(create, tmp_path):
    create().finish({})
    with pytest.raises(UserError, match=r"holds no ranking model; train it with `tfrec train rank"):
        RunDirectory.open(tmp_path / "run", "ranking")


def test_unfinished_model(create, tmp_path):
    create()
    with pytest.raises(UserError, match=r"did not finish; run `tfrec train retrieval .* again"):
        RunDirectory.open(tmp_path / "run", "retrieval")


@pytest.mark.parametrize("content", ['{"format": 1', "[]", '{"format": 99}'])
def test_damaged_record(create, tmp_path, content):
    run = create()
    (run.path / "run.json").write_text(content)
    with pytest.raises(UserError, match=r"run\.json is not"):
        RunDirectory.open(tmp_path / "run", "retrieval")
    with pytest.raises(UserError, match="already holds a damaged run"):
        create()


def test_other_data_than_the_run_was_trained_on(create, tmp_path):
    run = create()
    run.check_dataset(tmp_path / "elsewhere", CHECKSUM)
    with pytest.raises(UserError) as raised:
        run.check_dataset(tmp_path / "other", OTHER_CHECKSUM)
    message = str(raised.value)
    assert f"{run.path} was trained on other data than {tmp_path / 'other'}" in message
    assert "aaaaaaaaaaaa, not bbbbbbbbbbbb" in message
    assert str(tmp_path / "data") in message


def test_run_that_started_from_other_weights_is_not_continued(create):
    source = {"run": "/runs/first", "weights": "c" * 64}
    run = create(started_from=source)
    assert run.record["started_from"] == source
    assert create(started_from=source).resumed
    with pytest.raises(UserError, match="started from other weights"):
        create()
    with pytest.raises(UserError, match="started from other weights"):
        create(started_from={**source, "weights": "d" * 64})
