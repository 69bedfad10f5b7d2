"""`tfrec runs`: lists what was trained, whatever state it is in."""

import json

import pytest
from click.testing import CliRunner

from pipelines.runs import _best, command
from tfrec.config import ExperimentConfig, change_config
from tfrec.errors import UserError
from tfrec.monitoring.training.observer import ValidationReport
from tfrec.training.run import RunDirectory
from tfrec.training.run_list import differing_settings, find_models
from tfrec.training.run_progress import RunProgress

CONFIG = change_config(ExperimentConfig(), {"data.user_salt": "pepper"})


def make(folder, name, model="retrieval", score=None, metrics=None, **changes):
    config = change_config(CONFIG, {key.replace("__", "."): v for key, v in changes.items()})
    run = RunDirectory.create(folder / name, model, config, folder / "data", "c" * 64, config.seed)
    if score is not None:
        training = {"epochs": 7, "best_epoch": 4, "seconds": 90.0}
        run.finish({"valid_ndcg@10": score, **(metrics or {})}, training=training)
    return run


@pytest.fixture
def runs(tmp_path):
    make(tmp_path, "a", score=0.1)
    make(tmp_path, "b", score=0.3, retrieval__dropout=0.5, retrieval__training__epochs=9)
    make(tmp_path, "deep/er/c", score=0.2, seed=7)
    return tmp_path


def printed(*arguments):
    result = CliRunner().invoke(command, [str(word) for word in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def rows_of(output):
    """The cells of every line with more than one, by the first cell."""
    rows = [line.split() for line in output.splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) > 1}


def test_runs_with_their_scores_and_differences(runs):
    rows = rows_of(printed(runs))
    assert [rows[number][0] for number in "123"] == ["a", "b", "deep/er/c"]
    assert [rows[number][1] for number in "123"] == ["finished"] * 3
    assert [rows[number][-3:] for number in "123"] == [
        ["7", "1.5", "0.1000"],
        ["7", "1.5", "0.3000"],
        ["7", "1.5", "0.2000"],
    ]
    assert rows["retrieval.dropout"] == ["0.3", "0.5", "0.3"]
    assert rows["retrieval.training.epochs"] == ["30", "9", "30"]
    assert rows["seed"] == ["42", "42", "7"]
    assert "retrieval.dimension" not in rows, "what is the same everywhere says nothing"


def test_what_says_nothing_of_quality_has_no_best(tmp_path):
    for name, factor, auc in (("a", 1.0, 0.7), ("b", 2.0, 0.8)):
        make(tmp_path, name, score=0.1, metrics={"new_item_factor": factor, "auc": auc})
    models = find_models(tmp_path)
    assert _best("new_item_factor", models) is None
    assert _best("auc", models) == 0.8


def test_json_holds_every_setting_but_no_secret(runs):
    output = printed(runs, "--json")
    assert "pepper" not in output
    first, second, _ = json.loads(output)
    assert first["metrics"] == {"valid_ndcg@10": 0.1}
    assert first["settings"]["retrieval.dimension"] == 128
    assert first["settings"]["dataset"] == "c" * 12
    assert second["differing"] == {
        "retrieval.dropout": 0.5,
        "retrieval.training.epochs": 9,
        "seed": 42,
    }
    assert (second["epochs"], second["seconds"], second["status"]) == (7, 90.0, "finished")


def test_settings_of_the_other_model_are_no_difference(tmp_path):
    make(tmp_path, "a", score=0.1)
    make(tmp_path, "b", score=0.1, ranking__dropout=0.5, export__k=7)
    assert differing_settings(find_models(tmp_path)) == []


def test_both_models_have_tables_of_their_own(runs):
    make(runs, "a", "ranking", score=0.15, metrics={"auc/purchase": 0.75})
    output = printed(runs)
    assert output.index("retrieval models") < output.index("ranking models")
    assert rows_of(output)["auc/purchase"] == ["0.7500"]


def test_a_training_that_goes_on_shows_its_best_so_far(tmp_path):
    run = make(tmp_path, "a")
    observer = RunProgress(run)
    for epoch, score, best in ((1, 0.2, True), (2, 0.25, True), (3, 0.1, False)):
        observer.validated(ValidationReport(epoch * 10, epoch, {"ndcg@10": score}, best, 1.0))
    (model,) = find_models(tmp_path)
    assert (model.status, model.epochs) == ("unfinished", 3)
    assert model.metrics == {"valid_ndcg@10": 0.25}
    assert rows_of(printed(tmp_path))["1"][-2:] == ["3", "0.2500"]


def test_a_training_that_has_just_begun(tmp_path):
    make(tmp_path, "a")
    (model,) = find_models(tmp_path)
    assert (model.status, model.epochs, model.metrics) == ("unfinished", None, {})
    assert "unfinished" in printed(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("run.json", '{"model": "retri', "not valid JSON"),
        ("run.json", b"\xff\xfe\x00", "not valid JSON"),
        ("config.yaml", "retrieval: [", "expected the node content"),
        ("config.yaml", "just text", "holds no configuration"),
        ("config.yaml", None, "is missing"),
    ],
)
def test_half_written_runs_are_listed_as_such(runs, file, content, problem):
    path = runs / "b" / "retrieval" / file
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    status = {model.path: model.status for model in find_models(runs)}
    assert status == {"a": "finished", "b": "damaged", "deep/er/c": "finished"}
    output = printed(runs)
    assert f"damaged: {path}" in output.replace("\n", " ") or "damaged: " in output
    assert problem in " ".join(output.split())
    assert "0.2000" in output


def test_settings_of_another_version_are_compared_as_they_stand(runs):
    path = runs / "b" / "retrieval" / "config.yaml"
    path.write_text(path.read_text().replace("dropout: 0.5", "knob: 3"))
    rows = rows_of(printed(runs))
    assert rows["retrieval.dropout"] == ["0.3", "0.3"]
    assert rows["retrieval.knob"] == ["3"]


def test_records_of_others_and_hidden_folders_are_passed_over(runs):
    foreign = runs / "elsewhere" / "retrieval"
    foreign.mkdir(parents=True)
    (foreign / "run.json").write_text('{"id": 7}')
    (runs / "other").mkdir()
    (runs / "other" / "run.json").write_text("no JSON")
    (runs / "a").rename(runs / ".a.retired_.part")
    (runs / "loop").symlink_to(runs)
    assert [model.path for model in find_models(runs)] == ["b", "deep/er/c"]


def test_a_run_can_be_named_itself(runs):
    assert [model.path for model in find_models(runs / "b")] == ["b"]


def test_nothing_there(tmp_path):
    assert "There is no run in" in printed(tmp_path)
    assert json.loads(printed(tmp_path, "--json")) == []
    with pytest.raises(UserError, match=r"there is no folder .*missing"):
        find_models(tmp_path / "missing")
