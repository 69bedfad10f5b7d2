"""Lists that shoppers were shown become candidate lists, and a ranking model learns from them."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from tests.feedback.lines import did, end, shown
from tests.training.conftest import create_run
from tests.training.planted_shop import DAY, small_experiment
from tfrec.config import FeedbackConfig, RankingFeedbackConfig, SurfaceConfig
from tfrec.errors import UserError
from tfrec.feedback.labels import make_examples
from tfrec.models.recommender import Retriever
from tfrec.training import feedback_lists as module
from tfrec.training.candidate_lists import CandidateLists, holdout_shoppers
from tfrec.training.feedback_lists import feedback_histories, feedback_lists, label_columns
from tfrec.training.loading import TrainedRun
from tfrec.training.ranking import load_ranker, train_ranking
from tfrec.training.stages import run_ranking

AFTER = 200 * DAY  # after the last event of the planted shop


@pytest.fixture(scope="module")
def trained(planted_run):
    return TrainedRun.open(planted_run.path)


def save(folder, lines):
    lines = [*lines, end(days=300)]
    made = make_examples(lines, FeedbackConfig(places=3), SurfaceConfig(), by_score=False)
    made.save(folder)
    return made.table


@pytest.fixture
def examples(tmp_path):
    """Two lists of unknown shoppers, the second with an item that the shop does not have."""
    lines = [
        did(AFTER - 50, "i05", "purchase"),
        did(AFTER - 40, "i06", "return"),
        did(AFTER - 30, "i07", "ogle"),
        did(AFTER - 20, "i99", "purchase"),
        shown(AFTER, ["i06", "i20", "i30"]),
        did(AFTER + 5, "i20", number=0),
        did(AFTER + 9, "i20", "purchase"),
        shown(AFTER, ["i10", "i99"], user="v", number=1),
        did(AFTER + 5, "i10", user="v", number=1),
    ]
    return tmp_path / "examples", save(tmp_path / "examples", lines)


def settings(planted_run, folder, **feedback):
    used = RankingFeedbackConfig.model_validate({"examples": str(folder), **feedback})
    return planted_run.config.ranking.model_copy(update={"feedback": used})


def test_lists_are_what_was_shown(planted_run, trained, examples):
    folder, _ = examples
    lists = feedback_lists(
        planted_run.dataset,
        Retriever(trained.retrieval),
        trained.ranker,
        settings(planted_run, folder),
        seed=1,
    )
    index = planted_run.dataset.item_index()
    expected = [[index["i06"], index["i20"], index["i30"]], [index["i10"], 0, 0]]
    assert lists.items.tolist() == expected
    assert lists.present.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert lists.labels["purchase"].tolist() == [[0, 1, 0], [0, 0, 0]]
    assert not lists.labels["return"].any()
    assert lists.targets.tolist() == [1, 0]
    # What the shopper had shows in the features of the list: i06 follows i05 in this shop.
    near = trained.ranker.features.names.index("neighbour_hits")
    assert lists.features[0, 0, near] > lists.features[0, 2, near]
    assert not lists.features[1, 0, near], "an empty history has no neighbours"


def test_clicks_may_count_for_purchases(planted_run, trained, examples):
    folder, _ = examples
    lists = feedback_lists(
        planted_run.dataset,
        Retriever(trained.retrieval),
        trained.ranker,
        settings(planted_run, folder, labels={"purchase": ["click", "purchase"]}),
        seed=1,
    )
    assert lists.labels["purchase"].tolist() == [[0, 1, 0], [1, 0, 0]]


def test_histories_are_of_the_log_and_of_the_data_set(planted_run, examples):
    dataset = planted_run.dataset
    _, table = examples
    index, kinds = dataset.item_index(), dataset.event_types
    told = feedback_histories(table, dataset)
    assert told.lengths.tolist() == [2, 0]
    assert told.item.tolist() == [index["i05"], index["i06"]]
    assert [kinds[kind - 1] for kind in told.event] == ["purchase", "return"]
    # A shopper of the data set: the events before the list, then those that only the log knows.
    log = dataset.histories("train")
    user = str(log.user[0])
    own = log.timestamp[log.history(0)]
    line = {"user": user, "time": float(own[1]), "history_item_id": ["i05"]}
    line |= {"history_event": ["purchase"], "history_timestamp": np.array([own[1] - 1])}
    told = feedback_histories(pd.DataFrame([line]), dataset)
    assert told.timestamp.tolist() == [own[0], own[1] - 1]
    both = line | {
        "time": float(own[1]) + 1,
        "history_item_id": [f"i{dataset.items['item_id'][log.item[0] - 1][1:]}"],
        "history_event": [kinds[log.event[0] - 1]],
        "history_timestamp": own[:1],
    }
    told = feedback_histories(pd.DataFrame([both]), dataset)
    assert told.timestamp.tolist() == own[:2].tolist(), "what both know counts once"


def test_held_out_shoppers_and_the_tests_targets_are_left_out(planted_run):
    dataset = planted_run.dataset
    valid, test = dataset.histories("valid"), dataset.histories("test")
    held_out = valid.user[holdout_shoppers(valid, 0.5)][0]
    free = np.flatnonzero(~holdout_shoppers(test, 0.5) & (np.diff(test.target_offsets) > 0))
    row = int(free[0])
    last = float(test.target_timestamp[test.targets(row)].max())
    table = pd.DataFrame(
        {"user": [held_out, test.user[row], test.user[row], "unknown", None]}
        | {"time": [1e12, last, last + 1, 0.0, 0.0]}
    )
    config = settings(planted_run, "examples").model_copy(update={"holdout": 0.5})
    kept = module._for_training(table, dataset, config, seed=0)
    assert kept["time"].tolist() == [last + 1, 0.0, 0.0]
    few = module._for_training(table, dataset, config.model_copy(update={"max_shoppers": 2}), 0)
    assert len(few) == 2
    with pytest.raises(UserError, match="use newer lists"):
        module._for_training(table[:2], dataset, config, seed=0)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({}, "say in ranking.feedback.labels what counts, such as {purchase: [click, cart]}"),
        ({"buy": ["click"]}, "names the event `buy`, which is no target event"),
        ({"purchase": ["look"]}, "names `look`, of which"),
    ],
)
def test_labels_that_fit_nothing(labels, sentence):
    feedback = RankingFeedbackConfig(examples="shown", labels=labels)
    with pytest.raises(UserError) as raised:
        label_columns(["label_click", "label_cart"], ["purchase"], feedback)
    assert sentence in str(raised.value)


def test_examination_is_clipped_or_not_used(planted_run, trained, examples):
    folder, table = examples
    table["examination"] = [np.array([1.0, 0.3, 0.01]), np.array([1.0, 0.3])]
    table.to_parquet(folder / "examples.parquet")

    def looks(**feedback):
        return feedback_lists(
            planted_run.dataset,
            Retriever(trained.retrieval),
            trained.ranker,
            settings(planted_run, folder, **feedback),
            seed=1,
        ).examination

    np.testing.assert_allclose(looks(most_weight=5), [[1, 0.3, 0.2], [1, 1, 1]], rtol=1e-6)
    assert (looks(position_bias=False) == 1).all()


def test_parts_of_different_widths_are_joined():
    def part(width, examination):
        ones = np.ones((2, width), np.float32)
        return CandidateLists(
            np.ones((2, width), np.int32), np.arange(2), np.zeros(2, bool), ones[..., None],
            ones, ones, {"purchase": ones}, np.ones(2, np.int64), ones, np.zeros(2, np.int64),
            examination,
        )  # fmt: skip

    narrow = part(2, np.full((2, 2), 0.5, np.float32))
    lists = CandidateLists.joined([part(3, None), narrow])
    assert lists.present.tolist() == [[1, 1, 1]] * 2 + [[1, 1, 0]] * 2
    assert lists.features.shape == (4, 3, 1)
    assert lists.examination.tolist() == [[1, 1, 1]] * 2 + [[0.5, 0.5, 1]] * 2
    assert CandidateLists.joined([narrow]) is narrow
    assert CandidateLists.joined([part(3, None), part(2, None)]).examination is None


@pytest.mark.parametrize("mode", ["beside", "instead"])
def test_a_ranking_model_trains_on_examples(planted_run, trained, examples, tmp_path, mode):
    folder, _ = examples
    feedback = {"examples": str(folder), "mode": mode}
    changes = {"feedback": feedback, "training": {"epochs": 1, "tensorboard": False}}
    config = small_experiment(tmp_path, ranking=changes)
    run = create_run(tmp_path / "run", "ranking", config, planted_run.dataset)
    summary, _ = train_ranking(planted_run.dataset, trained.retrieval, run, config)
    made = CandidateLists.load(run.path / "lists" / "feedback", ["purchase", "return"])
    assert len(made.items) == 2 and made.examination is not None
    lists = len(made.items)
    if mode == "beside":
        lists += len(np.load(run.path / "lists" / "train" / "items.npy"))
    assert summary.steps == math.ceil(lists / 16)
    assert (run.path / "lists" / "train").exists() == (mode == "beside")
    load_ranker(run.path, trained.retrieval, config.ranking)
    # With other examples nothing of this is gone on with.
    save(folder, [shown(AFTER, ["i06", "i20"]), did(AFTER + 9, "i20", "purchase")])
    train_ranking(planted_run.dataset, trained.retrieval, run, config)
    made = CandidateLists.load(run.path / "lists" / "feedback", ["purchase", "return"])
    assert made.items.shape == (1, 2)


@pytest.mark.parametrize(
    ("ranking", "sentence"),
    [
        ({"feedback": {"mode": "instead"}}, "mode is instead, but there are no examples"),
        ({"event_weights": {"purchse": 2.0}}, r"ranking\.event_weights has a weight of `purchse`"),
    ],
)
def test_what_would_be_passed_over_is_refused(planted_run, tmp_path, ranking, sentence):
    config = small_experiment(tmp_path, ranking=ranking)
    with pytest.raises(UserError, match=sentence):
        run_ranking(planted_run.dataset, tmp_path / "run", config)


def test_lists_come_back_from_the_disk(tmp_path):
    ones = np.ones((1, 2), np.float32)
    lists = CandidateLists(
        np.ones((1, 2), np.int32), np.arange(1), np.zeros(1, bool), ones[..., None],
        ones, ones, {"purchase": ones}, np.ones(1, np.int64), ones, np.zeros(1, np.int64),
        0.5 * ones,
    )  # fmt: skip
    lists.save(tmp_path / "lists")
    loaded = CandidateLists.load(tmp_path / "lists", ["purchase"])
    np.testing.assert_array_equal(loaded.examination, lists.examination)
    dataclasses.replace(lists, examination=None).save(tmp_path / "lists")
    assert CandidateLists.load(tmp_path / "lists", ["purchase"]).examination is None
