"""Shoppers as if they had come in the period, and what the ranking model learns from them."""

from dataclasses import replace

import numpy as np
import pytest

from tests.surfaces.logs import histories_of
from tests.training.conftest import create_run
from tfrec.config import RankingConfig
from tfrec.data.log_statistics import LogStatistics
from tfrec.models.recommender import Retriever
from tfrec.training.arrivals import MOST_EVENTS, arrivals
from tfrec.training.candidate_lists import holdout_shoppers
from tfrec.training.loading import TrainedRun
from tfrec.training.ranking import build_ranker
from tfrec.training.ranking_lists import TRAIN, make_lists, read_lists

BUY, RETURN = 1, 2
PERIOD = [
    # shopper, item, event, time: the targets, in the order of the file and not of time
    (0, 12, BUY, 30), (0, 10, BUY, 10), (0, 11, BUY, 20),
    (1, 20, BUY, 5),
    (2, 30, BUY, 1), (2, 30, RETURN, 2), (2, 31, BUY, 3), (2, 31, RETURN, 4),
]  # fmt: skip


def period():
    """Three shoppers; the first two had something before the period."""
    targets = histories_of(PERIOD, targets=True)
    return replace(
        targets,
        offsets=np.array([0, 2, 3, 3]),
        item=np.array([1, 2, 3], np.int32),
        event=np.array([BUY, BUY, BUY], np.int32),
        timestamp=np.array([-3, -2, -1]),
        value=np.ones(3, np.float32),
        context={"country": np.array([7, 8, 9], np.int32)},
    )


def test_the_first_events_of_the_period_are_the_history():
    found, rows = arrivals(period(), np.array([2, 1, 1]), [BUY])
    assert rows.tolist() == [0, 2]
    assert found.user.tolist() == ["u0", "u2"]
    # Of the last shopper nothing but the return came between the two purchases.
    assert [found.item[found.history(row)].tolist() for row in (0, 1)] == [[10, 11], [30]]
    assert [found.timestamp[found.history(row)].tolist() for row in (0, 1)] == [[10, 20], [1]]
    assert [found.target_item[found.targets(row)].tolist() for row in (0, 1)] == [
        [12],
        [30, 31, 31],
    ]
    assert found.target_event[found.targets(1)].tolist() == [RETURN, BUY, RETURN]


def test_the_context_is_that_of_the_last_event_before():
    found, _ = arrivals(period(), np.array([2, 1, 1]), [BUY])
    # The last shopper had no event before.
    assert found.context["country"].tolist() == [8, 8, 0]
    assert found.context["country"].dtype == np.int32
    assert found.value.tolist() == [1, 1, 1]


def test_the_past_of_somebody_known_comes_first():
    arrived, rows = arrivals(period(), np.array([2, 1, 1]), [BUY])
    assert rows.tolist() == [0, 2]
    found = arrived.preceded_by(period().select(rows))
    assert [found.item[found.history(row)].tolist() for row in (0, 1)] == [[1, 2, 10, 11], [30]]
    assert found.context["country"].tolist() == [7, 8, 8, 8, 0]
    assert [found.target_item[found.targets(row)].tolist() for row in (0, 1)] == [
        [12],
        [30, 31, 31],
    ]


def test_who_chose_nothing_more_is_left_out():
    found, rows = arrivals(period(), np.array([3, 1, 2]), [BUY])
    assert len(found) == len(rows) == len(found.item) == len(found.target_item) == 0
    assert found.offsets.tolist() == found.target_offsets.tolist() == [0]


@pytest.fixture(scope="module")
def lists_with(planted_run, tmp_path_factory):
    """Makes the lists of a ranking model that learns from a share of arrivals."""
    trained = TrainedRun.open(planted_run.path)
    dataset = planted_run.dataset
    statistics = LogStatistics.build(dataset, 10)

    def make(share):
        settings = RankingConfig.model_validate(
            {"candidates": 8, "neighbours": 10, "hidden_units": [4], "arrivals": share}
        )
        ranker = build_ranker(trained.retrieval, statistics, settings)
        histories = dataset.histories("valid")
        folder = tmp_path_factory.mktemp("arrivals")
        run = create_run(folder / "run", "ranking", planted_run.config, dataset)
        held_out = holdout_shoppers(histories, 0.3)
        retriever = Retriever(trained.retrieval)
        make_lists(run, dataset, histories, held_out, retriever, ranker, settings, pretending=False)
        lists = read_lists(run.path, TRAIN, ranker.model.events)
        return lists, ranker.features.names, np.count_nonzero(~held_out)

    return make


def test_a_share_of_the_shoppers_is_met_again(lists_with):
    alone, names, shoppers = lists_with(0.0)
    both, _, _ = lists_with(0.5)
    own = len(alone.items)
    np.testing.assert_array_equal(both.features[:own], alone.features)
    more = both.shopper[own:]
    # Each in both modes, and those alone who chose something after their first events.
    assert 0 < len(np.unique(more)) <= shoppers / 2
    assert max(np.bincount(more)) == 2
    lengths = np.expm1(both.features[own:, :, names.index("history_log_length")])
    known = lengths[both.present[own:] > 0]
    assert known.min() >= 0.99 and known.max() <= 2 * MOST_EVENTS + 0.01
    assert any(labels[own:].any() for labels in both.labels.values())
