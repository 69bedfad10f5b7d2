"""A trained run opens whole, or says in one sentence what is wrong with it."""

import json
import shutil

import numpy as np
import pytest

from tfrec.errors import UserError
from tfrec.training.loading import TrainedRun


@pytest.fixture
def run(planted_run, tmp_path):
    """A copy of the run, to damage."""
    path = tmp_path / "run"
    shutil.copytree(planted_run.path, path, ignore=shutil.ignore_patterns("last", "best", "lists"))
    return path


def test_a_whole_run(planted_run, run):
    """What a run needs to be used is outside of the folders that its training kept for itself."""
    opened = TrainedRun.open(run)
    assert opened.dataset.path == planted_run.dataset.path
    assert opened.config == planted_run.config
    assert opened.text_vectors.shape == (40, 32)
    assert opened.recommender().candidates == planted_run.config.ranking.candidates
    assert opened.recommender().ranker is opened.ranker


def test_a_run_without_a_ranking_model(run):
    shutil.rmtree(run / "ranking")
    opened = TrainedRun.open(run)
    assert opened.ranker is None and opened.recommender() is None


def test_a_data_set_that_moved(planted_run, run, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(planted_run.dataset.path, moved)
    record = json.loads((run / "retrieval" / "run.json").read_text())
    record["dataset"]["path"] = str(tmp_path / "gone")
    (run / "retrieval" / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"no longer at .*gone; name its place with --data"):
        TrainedRun.open(run)
    assert TrainedRun.open(run, moved).dataset.path == moved


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


def one_vector_less(path):
    np.save(path, np.load(path)[:-1])


def not_json(path):
    path.write_text('{"num_ids": 4')


def no_object(path):
    path.write_text("[1, 2]")


def missing_key(path):
    content = json.loads(path.read_text())
    del content["event_types"]
    path.write_text(json.dumps(content))


def other_size(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_ids": 39}))


def other_model(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"retrieval": "0" * 64}))


DATA = "weights.data-00000-of-00001"
DAMAGES = [
    ("retrieval/weights.index", remove, "missing or damaged; train the retrieval model again"),
    ("retrieval/weights.index", truncate, "missing or damaged; train the retrieval model again"),
    (f"retrieval/{DATA}", remove, "missing or damaged; train the retrieval model again"),
    (f"retrieval/{DATA}", truncate, "missing or damaged; train the retrieval model again"),
    ("retrieval/spec.json", remove, "there is no file"),
    ("retrieval/spec.json", not_json, "is not valid JSON"),
    ("retrieval/spec.json", no_object, "missing or damaged; train the retrieval model again"),
    ("retrieval/spec.json", missing_key, "missing or damaged; train the retrieval model again"),
    ("retrieval/spec.json", other_size, "missing or damaged; train the retrieval model again"),
    ("retrieval/text_vectors.npy", remove, "missing or damaged; train the retrieval model again"),
    ("retrieval/text_vectors.npy", truncate, "missing or damaged; train the retrieval model again"),
    ("retrieval/text_vectors.npy", empty, "missing or damaged; train the retrieval model again"),
    ("retrieval/text_vectors.npy", one_vector_less, "missing or damaged; train the retrieval"),
    ("ranking/statistics.npz", remove, "is damaged; train the ranking model again"),
    ("ranking/statistics.npz", truncate, "is damaged; train the ranking model again"),
    ("ranking/statistics.npz", empty, "is damaged; train the ranking model again"),
    ("ranking/weights.index", remove, "is damaged; train the ranking model again"),
    (f"ranking/{DATA}", truncate, "is damaged; train the ranking model again"),
    ("ranking/features.json", remove, "there is no file"),
    ("ranking/features.json", other_model, "trained on another retrieval model than the run's"),
]


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    DAMAGES,
    ids=[f"{name}-{damage.__name__}" for name, damage, _ in DAMAGES],
)
def test_damage_is_told_in_one_sentence(run, name, damage, message):
    damage(run / name)
    with pytest.raises(UserError) as raised:
        TrainedRun.open(run)
    text = str(raised.value)
    assert message in text and str(run) in text
    assert "\n" not in text and len(text) < 400
