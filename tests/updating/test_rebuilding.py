"""Published versions built again."""

import dataclasses
import json
import shutil

import pytest
from click.testing import CliRunner

from pipelines.rebuild import command
from tfrec.errors import UserError
from tfrec.export.exporter import PROVENANCE
from tfrec.export.versions import MODELS, versions_of
from tfrec.files import read_json
from tfrec.updating.rebuilding import REPORT, rebuild
from tfrec.updating.state import UpdateState


@pytest.fixture(scope="module")
def rebuilt(updated_shop):
    """The version of the shop's first week, built again by the command."""
    shop, updated, _ = updated_shop
    before = {name: versions_of(shop.models / name) for name in MODELS}
    version = updated.entry.version
    out = shop.folder / "rebuilt"
    arguments = [str(version), "--models", str(shop.models), "--state", str(shop.state)]
    arguments += ["--out", str(out), "--json"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert {name: versions_of(shop.models / name) for name in MODELS} == before
    return out, version, json.loads(done.stdout)


def test_the_figures_are_the_recorded_ones(rebuilt):
    _, version, told = rebuilt
    assert told["version"] == version
    assert told["differences"] == []
    assert told["notes"] == []
    names = {figure["name"] for figure in told["figures"]}
    assert {"NDCG@5, all shoppers", "NDCG@5, all shoppers, old models", "coverage"} <= names
    assert any(name.startswith("ranking/") for name in names)


def test_the_models_are_under_their_number_with_their_lineage(rebuilt, updated_shop):
    out, version, _ = rebuilt
    shop, _, _ = updated_shop
    for name in MODELS:
        assert list(versions_of(out / "models" / name)) == [version]
    here, there = (
        read_json(models / MODELS[0] / str(version) / PROVENANCE)["origin"]["update"]
        for models in (out / "models", shop.models)
    )
    assert {**here, "verdict": None} == {**there, "verdict": None}


def test_a_second_call_finds_it_done(rebuilt, updated_shop):
    out, version, told = rebuilt
    shop, _, _ = updated_shop
    files = {path: path.stat().st_mtime_ns for path in (out / "models").rglob("*")}
    again = rebuild(version, shop.models, shop.state, out)
    assert again.to_json() == told
    assert {path: path.stat().st_mtime_ns for path in (out / "models").rglob("*")} == files


def test_other_code_is_told_of(rebuilt, updated_shop, monkeypatch):
    out, version, _ = rebuilt
    shop, _, _ = updated_shop
    monkeypatch.setattr(
        "tfrec.updating.rebuilding.code_identity", lambda: {"tfrec": "9", "sources": "0"}
    )
    notes = rebuild(version, shop.models, shop.state, out).notes
    assert len(notes) == 2 and "and is 9" in notes[0]


class TestMistakes:
    def test_a_version_that_is_not_known(self, updated_shop, tmp_path):
        shop, updated, _ = updated_shop
        known = f"{updated.entry.parent_version}, {updated.entry.version}"
        with pytest.raises(UserError, match=f"no update published version 7; .* {known}"):
            rebuild(7, shop.models, shop.state, tmp_path / "out")

    def test_the_models_folder_that_is_served(self, updated_shop):
        shop, updated, _ = updated_shop
        with pytest.raises(UserError, match="is the models folder that is served"):
            rebuild(updated.entry.version, shop.models, shop.state, shop.models)

    def test_a_folder_with_something_else(self, updated_shop, tmp_path):
        shop, updated, _ = updated_shop
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="holds something else"):
            rebuild(updated.entry.version, shop.models, shop.state, tmp_path)

    @pytest.mark.parametrize("name", ["batch", "data"])
    def test_what_was_pruned(self, updated_shop, tmp_path, name):
        shop, updated, _ = updated_shop
        copy = shop.copy(tmp_path / "copy")
        shutil.rmtree(UpdateState(copy.state).generation(1) / name)
        with pytest.raises(UserError, match=r"cannot be built again: its .* is no longer"):
            rebuild(updated.entry.version, copy.models, copy.state, tmp_path / "out")


def test_what_it_takes_is_kept_for_the_last_versions(updated_shop, tmp_path):
    """Of five versions two are kept, with what the older was trained on; not those between."""
    _, updated, _ = updated_shop
    home = UpdateState(tmp_path)
    outcomes = [11, 12, None, 13, None, 14, None]
    entries, served = [], 10
    for number, version in enumerate(outcomes, start=1):
        home.generation(number).mkdir(parents=True)
        entries.append(
            dataclasses.replace(
                updated.entry, generation=number, version=version, parent_version=served
            )
        )
        served = version or served
    state = UpdateState(updated_shop[0].state)
    ledger = dataclasses.replace(state.ledger(), version=10, entries=entries)
    home.prune(ledger, 2, needed=[home.generation(3) / "data"])
    left = sorted(int(path.name) for path in home.generation(1).parent.iterdir())
    # 13 and 14; 12, which 13 was trained on from; the newest; and what is needed.
    assert left == [2, 3, 4, 6, 7]


@pytest.mark.slow
def test_the_first_version_is_trained_again(updated_shop, tmp_path):
    shop, updated, _ = updated_shop
    version = updated.entry.parent_version
    out = tmp_path / "out"
    again = rebuild(version, shop.models, shop.state, out)
    assert again.differences == []
    assert {figure.name for figure in again.figures} >= {
        "retrieval/valid_ndcg@10",
        "ranking/valid_ndcg@10",
    }
    assert list(versions_of(out / "models" / MODELS[-1])) == [version]
    assert read_json(out / REPORT)["version"] == version
