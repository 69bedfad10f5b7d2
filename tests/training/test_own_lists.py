"""Candidate lists of the shop's own shoppers, with and without items that are pretended new."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfrec.config import RankingConfig
from tfrec.data.log_statistics import LogStatistics
from tfrec.models.recommender import Retriever
from tfrec.towers.histories import pad_histories
from tfrec.training import pretended_items
from tfrec.training.candidate_lists import CandidateLists
from tfrec.training.loading import TrainedRun
from tfrec.training.own_lists import ListMaker
from tfrec.training.pretended_items import DRAWS, draws_of_items
from tfrec.training.ranking import build_ranker


@pytest.fixture(scope="module")
def trained(planted_run):
    return TrainedRun.open(planted_run.path)


@pytest.fixture(scope="module")
def small_lists(planted_run, trained):
    """Makes lists for the first validation shoppers."""

    def make(count=30, negatives=6, **config):
        settings = RankingConfig.model_validate(
            {"candidates": 8, "neighbours": 10, "hidden_units": [4], **config}
        )
        ranker = build_ranker(trained.retrieval, trained.ranker_statistics, settings)
        histories = planted_run.dataset.histories("valid").select(np.arange(count))
        maker = ListMaker(planted_run.dataset, Retriever(trained.retrieval), ranker, settings)
        lists = maker.make(histories, seed=1, negatives=negatives)
        return histories, lists, ranker

    statistics = LogStatistics.build(planted_run.dataset, 10)
    trained = SimpleNamespace(retrieval=trained.retrieval, ranker_statistics=statistics)
    return make


def test_items_that_training_never_sold_are_no_candidates(planted_run, small_lists, monkeypatch):
    dataset = planted_run.dataset
    _, lists, _ = small_lists()
    new = np.unique(lists.items[:, 0])[:3]
    assert np.isin(lists.items, new).any()
    items = dataset.items.copy()
    items.loc[new - 1, "train_events"] = 0
    monkeypatch.setitem(vars(dataset), "items", items)
    _, lists, _ = small_lists()
    assert not np.isin(lists.items, new).any()


@pytest.mark.parametrize("mode", ["count", "exclude"])
def test_lists_are_the_best_candidates_and_popular_items(planted_run, trained, small_lists, mode):
    histories, lists, ranker = small_lists(repeats=mode)
    scores = Retriever(trained.retrieval).scores(pad_histories(histories, 500)).numpy()
    own = ranker.features.names.index("own_hits")
    score = ranker.features.names.index("retrieval_score")
    assert lists.features.shape == (30, 14, len(ranker.features.names))
    for row in range(30):
        had = set(histories.item[histories.history(row)].tolist())
        allowed = [
            item for item in 1 + np.argsort(-scores[row, 1:]) if mode == "count" or item not in had
        ]
        # Features tell which candidates they are of: their scores are those of the best eight.
        found = np.sort(lists.features[row, :8, score])[::-1]
        np.testing.assert_allclose(found, scores[row, allowed[:8]], atol=1e-5)
        assert lists.retrieved[row].tolist() == [1] * 8 + [0] * 6
        # No candidate twice, however popular.
        real = lists.features[row, lists.present[row] > 0, score]
        assert len(np.unique(real)) == len(real)
        if mode == "exclude":
            assert not lists.features[row, lists.present[row] > 0, own].any()


def test_labels_are_what_came(planted_run, trained, small_lists):
    histories, lists, ranker = small_lists(repeats="count", negatives=0, candidates=40)
    scores = Retriever(trained.retrieval).scores(pad_histories(histories, 500)).numpy()
    place = ranker.features.names.index("retrieval_score")
    dataset = planted_run.dataset
    for row in range(30):
        order = {round(float(s), 6): item for item, s in enumerate(scores[row]) if item}
        items = [order[round(float(s), 6)] for s in lists.features[row, :, place]]
        assert sorted(items) == list(range(1, 41)), "the whole catalogue"
        where = histories.targets(row)
        came, kinds = histories.target_item[where], histories.target_event[where]
        for event in ("purchase", "return"):
            index = dataset.event_types.index(event) + 1
            labelled = {items[i] for i in np.flatnonzero(lists.labels[event][row])}
            assert labelled == set(came[kinds == index].tolist())
        assert lists.targets[row] == len(set(came[kinds == 1].tolist()))


def test_both_modes_make_two_lists_a_shopper(small_lists):
    _, lists, _ = small_lists(count=5)
    assert len(lists.features) == 10
    assert (lists.targets[5:] <= lists.targets[:5]).all()


def test_lists_come_back_from_the_disk(small_lists, tmp_path):
    _, lists, ranker = small_lists(count=3)
    lists.save(tmp_path / "lists")
    loaded = CandidateLists.load(tmp_path / "lists", ranker.model.events)
    for name in ("features", "present", "retrieved", "targets", "sales", "new_targets"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(lists, name))
    for event in ranker.model.events:
        np.testing.assert_array_equal(loaded.labels[event], lists.labels[event])


def test_some_of_the_lists(small_lists):
    _, lists, _ = small_lists()
    some = lists.select(np.array([4, 1]))
    assert len(some.items) == 2
    np.testing.assert_array_equal(some.features, lists.features[[4, 1]])
    for event, values in lists.labels.items():
        np.testing.assert_array_equal(some.labels[event], values[[4, 1]])
    assert some.examination is None


@pytest.fixture
def pretending(planted_run):
    """A maker of lists of the validation shoppers, and what it lets forget some items."""
    opened = TrainedRun.open(planted_run.path)
    settings = RankingConfig(candidates=40, neighbours=10, hidden_units=[4], repeats="count")
    retriever = Retriever(opened.retrieval)
    opened.retrieval.count(planted_run.dataset.log_before("valid"))
    retriever.refresh()
    statistics = LogStatistics.build(planted_run.dataset, 10)
    ranker = build_ranker(opened.retrieval, statistics, settings)
    return SimpleNamespace(
        maker=ListMaker(planted_run.dataset, retriever, ranker, settings),
        histories=planted_run.dataset.histories("valid"),
        retriever=retriever,
        ranker=ranker,
        statistics=statistics,
    )


def test_every_shopper_meets_a_shop_in_which_some_items_are_new(pretending):
    histories = pretending.histories.select(np.arange(50))
    lists = pretending.maker.make_pretending(histories, seed=1)
    assert lists.shopper.tolist() == list(range(50))
    own = pretending.ranker.features.names.index("own_hits")
    shops, chosen = set(), 0
    for row in range(50):
        past = set(histories.item[histories.history(row)].tolist())
        came = set(histories.target_item[histories.targets(row)].tolist())
        unsold = (lists.sales[row] == 0) & (lists.items[row] > 0)
        new = set(lists.items[row, unsold].tolist())
        # With the whole catalogue as candidates only what he had of the new items is none.
        missing = set(range(1, 41)) - set(lists.items[row].tolist())
        assert missing <= past and not new & past and len(new | missing) == 4
        shops.add(frozenset(new | missing))
        assert not lists.features[row, unsold, own].any()
        assert lists.new_targets[row] == len(new & came)
        chosen += lists.labels["purchase"][row, unsold].sum()
    assert len(shops) == DRAWS and len(frozenset.union(*shops)) == 40
    assert chosen > 0, "some of them were chosen"
    plain = pretending.maker.make(histories, seed=1, negatives=0)
    assert (plain.sales[plain.items > 0] > 0).all() and not plain.new_targets.any()


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_pretended_is_forgotten(pretending, monkeypatch, fails):
    history = pad_histories(pretending.histories.select(np.arange(9)), 50)
    candidates = tf.tile(tf.range(1, 41, dtype=tf.int64)[tf.newaxis], [9, 1])

    def known():
        scores = pretending.retriever.scores(history)
        return scores.numpy(), pretending.ranker.describe(history, candidates, scores).numpy()

    def fail(*_, **__):
        raise ZeroDivisionError

    before = known()
    if fails:
        monkeypatch.setattr(pretending.maker, "make", fail)
        with pytest.raises(ZeroDivisionError):
            pretending.maker.make_pretending(pretending.histories, seed=1)
    else:
        pretending.maker.make_pretending(pretending.histories, seed=1)
    for values, expected in zip(known(), before, strict=True):
        np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(pretending.ranker.features.sales, pretending.statistics.sales)


def test_draws_are_tenths_of_what_was_sold(monkeypatch):
    sales = np.array([0.0, *np.arange(40.0)])
    draw = draws_of_items(sales, np.random.default_rng(0))
    assert (draw[sales == 0] == -1).all()
    assert np.bincount(draw[sales > 0], minlength=DRAWS).tolist() == [4] * 9 + [3]
    monkeypatch.setattr(pretended_items, "MOST_PRETENDED", 5)
    some = draws_of_items(sales, np.random.default_rng(0))
    assert np.count_nonzero(some >= 0) == 5
