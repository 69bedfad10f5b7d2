"""The commands as a user gives them, and the embedded server on what they wrote."""

import json
import shutil
import sys
import time

import pytest

from pipelines import export, index_refresh
from pipelines.running import USER_MISTAKE, run
from serving.client import RecommenderClient
from serving.process import start_server
from tests.export.shop import items_frame
from tfrec.export.versions import MODELS, versions_of


def give(monkeypatch, capsys, command, *arguments):
    """Runs a command; returns its exit code, stdout and the lines of stderr that are no bars."""
    monkeypatch.setattr(sys, "argv", ["tfrec", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        run(command)
    done = capsys.readouterr()
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    return caught.value.code, done.out, errors


def test_export_says_what_it_wrote(export_command):
    models, said = export_command
    for name in ("retrieval", "ranking", "recommender"):
        (version,) = (models / name).iterdir()
        assert len(version.name) == 14 and str(version) in said
    assert f"tfrec serve --models {models}" in said


@pytest.mark.parametrize("prepare, message", [
    (lambda run: shutil.rmtree(run), "there is no run folder"),
    (lambda run: shutil.rmtree(run / "ranking"), "holds no ranking model; train it"),
    (lambda run: (run / "retrieval" / "weights.index").unlink(), "missing or damaged"),
    (lambda run: unfinish(run / "ranking" / "run.json"), "did not finish"),
])  # fmt: skip
def test_a_run_that_is_not_whole_is_one_sentence(
    monkeypatch, capsys, run_folder, tmp_path, prepare, message
):
    copy = tmp_path / "run"
    shutil.copytree(run_folder, copy)
    prepare(copy)
    code, _, errors = give(
        monkeypatch, capsys, export.command, "--run", copy, "--models", tmp_path / "models"
    )
    assert code == USER_MISTAKE and len(errors) == 1 and message in errors[0]
    assert not (tmp_path / "models").exists()


def unfinish(path):
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "training"}))


def test_a_file_in_the_place_of_the_models_is_named(monkeypatch, capsys, run_folder, tmp_path):
    (tmp_path / "models").write_text("")
    code, _, errors = give(
        monkeypatch, capsys, export.command, "--run", run_folder, "--models", tmp_path / "models"
    )
    assert code == USER_MISTAKE and "it is a file" in errors[0]


def test_an_item_id_with_a_line_break_is_named(monkeypatch, capsys, run_folder, tmp_path):
    from tfrec.export.served_items import ServedItems

    def broken(items, folder):
        items = items.copy()
        items.loc[2, "item_id"] = "one\nid"
        return ServedItems(items, folder)

    monkeypatch.setattr("tfrec.export.served_models.ServedItems", broken)
    code, _, errors = give(
        monkeypatch, capsys, export.command, "--run", run_folder, "--models", tmp_path / "models"
    )
    assert code == USER_MISTAKE and "'one\\nid' holds a line break" in errors[0]
    assert list((tmp_path / "models").iterdir()) == []


def test_index_refresh_prints_what_became_of_the_rows(monkeypatch, capsys, refreshed):
    models, result = refreshed
    given = []

    def refresh(*arguments):
        given.append(arguments)
        return result

    # The refresh itself was done once for all tests.
    monkeypatch.setattr("tfrec.export.refresh.refresh_index", refresh)
    code, out, errors = give(
        monkeypatch, capsys, index_refresh.command, "--models", models, "--items", "new.parquet"
    )
    assert (code, errors) == (0, [])
    assert given == [(models, "new.parquet", None)]
    counts = {
        cells[0]: cells[1]
        for line in out.splitlines()
        if line.startswith("│") and (cells := [part.strip() for part in line.split("│")[1:-1]])
    }
    assert counts == {
        "items before": "12",
        "items after": "14",
        "rows in the file": "7",
        "new items": "2",
        "known items, changed": "2",
        "known items, unchanged": "1",
        "rejected": "2",
        "empty_item_id": "1",
        "duplicate_item": "1",
        "texts encoded": "2",
    }
    assert f"Rejected rows are in {result.rejects}." in out
    assert f"Version {result.exported.version} is in {models}." in out


@pytest.mark.parametrize("models_name, items, message", [
    ("nowhere", "items.parquet", "there is no models folder"),
    ("models", "nothing.parquet", "there is no file"),
    ("models", "half.parquet", "not readable as Parquet"),
])  # fmt: skip
def test_mistakes_of_a_refresh_are_one_sentence(
    monkeypatch, capsys, models, tmp_path, models_name, items, message
):
    shutil.copytree(models, tmp_path / "models")
    items_frame().to_parquet(tmp_path / "items.parquet")
    (tmp_path / "half.parquet").write_bytes((tmp_path / "items.parquet").read_bytes()[:100])
    code, _, errors = give(
        monkeypatch, capsys, index_refresh.command,
        "--models", tmp_path / models_name, "--items", tmp_path / items,
    )  # fmt: skip
    assert code == USER_MISTAKE and len(errors) == 1 and message in errors[0]


def test_the_embedded_server_serves_the_export_and_takes_over_a_refresh(refreshed, tmp_path):
    source, result = refreshed
    served = tmp_path / "models"
    for model in MODELS:
        old = next(iter(versions_of(source / model).values()))
        shutil.copytree(old, served / model / old.name)
    flags = ["--file_system_poll_wait_seconds=1"]
    with start_server(served, flags=flags) as server, RecommenderClient(server.address) as client:
        context = {"country": "FR"}
        answer = client.recommend(["item-00", "nope"], k=3, context=context)
        assert len(answer) == 3 and all(item.title and item.reason_item_id for item in answer)
        assert set(answer[0].probabilities) == {"purchase", "return"}
        shown = [item.item_id for item in answer]
        ranked = client.rank(["item-00"], shown[::-1], context=context)
        assert [item.item_id for item in ranked] == shown
        assert len(client.embed_item("red heart", price=2.0, brand="Acme")) == 8
        assert client.search("green heart", k=1)[0].item_id != "new-1"
        for model, folder in result.exported.folders.items():
            shutil.copytree(folder, served / ".part")
            (served / ".part").rename(served / model / folder.name)
        wait_for(client, result.exported.version)
        found = client.search("green heart", ["item-00"], k=1)[0]
        assert (found.item_id, found.title, found.price) == ("new-1", "green heart", 3.5)
        assert client.similar("new-1", k=2)
        assert client.recommend(["new-1"], k=2)[0].reason_item_id == "new-1"


def wait_for(client, version):
    for _ in range(200):
        newest = [model for model in client.models() if model.version == version]
        if len(newest) == 3 and all(model.state == "available" for model in newest):
            return
        time.sleep(0.2)
    raise AssertionError(f"version {version} did not come up: {client.models()}")
