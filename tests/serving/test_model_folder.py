import shutil

import pytest

from serving.model_folder import ModelFolderError, check_version, find_models
from tests.serving import tiny_models


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    words = folder / "words.txt"
    words.write_text("\n".join(tiny_models.ITEMS))
    tiny_models.save_retrieval(folder / "7", vocabulary=words)
    return folder / "7"


@pytest.fixture
def models(tmp_path, whole):
    shutil.copytree(whole, tmp_path / "models" / "retrieval" / "7")
    return tmp_path / "models"


def test_models_and_versions_are_found(models):
    (models / "retrieval" / "00012").mkdir()
    shutil.copytree(models / "retrieval" / "7", models / "retrieval" / "00012", dirs_exist_ok=True)
    (models / "retrieval" / ".13.part").mkdir()
    (models / "empty").mkdir()
    (model,) = find_models(models)
    assert (model.name, model.versions) == ("retrieval", (12, 7))


def test_a_missing_folder_a_file_and_an_empty_folder_are_told_apart(tmp_path):
    with pytest.raises(ModelFolderError, match="does not exist; give the folder that"):
        find_models(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFolderError, match="is not a folder"):
        find_models(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        ModelFolderError, match=r"there is no model in .*empty: a model is a folder"
    ):
        find_models(tmp_path / "empty")


@pytest.mark.parametrize(
    ("lost", "what"),
    [
        ("saved_model.pb", "no saved_model.pb"),
        ("assets/words.txt", "no assets/words.txt"),
        ("variables/variables.index", "no variables/variables.index"),
        ("variables/variables.data-00000-of-00001", "not every variables/variables.data file"),
    ],
)
def test_a_file_that_is_missing_is_named(models, lost, what):
    (models / "retrieval" / "7" / lost).unlink()
    with pytest.raises(
        ModelFolderError, match=f"version 7 of model retrieval is not whole .{what}"
    ):
        find_models(models)


def test_a_graph_that_is_cut_off_is_named(models):
    graph = models / "retrieval" / "7" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:2000])
    with pytest.raises(ModelFolderError, match=r"saved_model\.pb is cut off or damaged"):
        find_models(models)
    graph.write_bytes(b"")
    with pytest.raises(ModelFolderError, match=r"saved_model\.pb is empty"):
        check_version("retrieval", graph.parent)
