"""Both stages together, over five items: what may be shown, and in which order."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.evaluation.small_shop import make_histories
from tests.models.small_model import COUNTRY, NUM_ITEMS, randomise, retrieval_model
from tfrec.config import RankingConfig, SurfaceConfig
from tfrec.config.display import PinnedProduct
from tfrec.data.item_links import ItemLinks
from tfrec.data.log_statistics import ITEM_STATISTICS, LogStatistics
from tfrec.errors import UserError
from tfrec.models.recommender import Recommender, Retriever
from tfrec.models.scorers import RetrievalScorer, TwoStageScorer
from tfrec.rerank.display_order import DisplayOrder
from tfrec.towers.histories import pad_histories
from tfrec.training.ranking import build_ranker


def make_recommender(candidates=3, **ranking):
    retrieval = retrieval_model(repeat_bonus=True)
    randomise(retrieval)
    random = np.random.default_rng(5)
    statistics = LogStatistics(
        ItemLinks(
            random.integers(0, 6, (6, 2)).astype(np.int32), random.random((6, 2), np.float32)
        ),
        ItemLinks(
            random.integers(0, 6, (6, 2)).astype(np.int32), random.random((6, 2), np.float32)
        ),
        random.random((6, len(ITEM_STATISTICS)), np.float32),
        np.array([0, 0, 1, 5, 0, 2], np.float32),
    )
    config = RankingConfig(candidates=max(candidates, 2), **ranking)
    ranker = build_ranker(retrieval, statistics, config)
    randomise(ranker.model, seed=7)
    return Recommender(Retriever(retrieval), ranker, candidates)


def three_shoppers():
    histories = make_histories([[1, 2, 1], [4, (4, 2)], []])
    histories.context[COUNTRY] = np.array([1, 1, 1, 2, 2], np.int32)
    return histories


def recommend(recommender, hidden):
    history = pad_histories(three_shoppers(), 10)
    items, values, probabilities = recommender.recommend(history, tf.constant(hidden, tf.int64))
    return items.numpy(), values.numpy(), {n: p.numpy() for n, p in probabilities.items()}


def test_candidates_of_the_first_stage_in_the_order_of_the_second():
    recommender = make_recommender(candidates=3)
    items, values, probabilities = recommend(recommender, [[0], [0], [0]])
    history = pad_histories(three_shoppers(), 10)
    scores = recommender.retriever.scores(history).numpy()
    for row in range(3):
        best = 1 + np.argsort(-scores[row, 1:])[:3]
        assert sorted(items[row]) == sorted(best)
        # Each stands with its own value and probabilities, best value first.
        candidates = tf.constant(items[row : row + 1])
        one = {name: part[row : row + 1] for name, part in history.items()}
        alone, chances = recommender.ranker.rank(one, candidates, scores[row : row + 1])
        np.testing.assert_allclose(values[row], alone[0], rtol=1e-5)
        for event in ("purchase", "return"):
            np.testing.assert_allclose(probabilities[event][row], chances[event][0], rtol=1e-5)
        assert (np.diff(values[row]) <= 0).all()
    expected = probabilities["purchase"] * (1 - probabilities["return"])
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_what_nobody_bought_is_raised_on_every_surface():
    plain = make_recommender(candidates=5)
    before = dict(zip(*(part[0].tolist() for part in recommend(plain, [[0]] * 3)[:2]), strict=True))
    raised = make_recommender(candidates=5)
    raised.ranker.model.new_item_factor.assign(4.0)
    items, values, chances = recommend(raised, [[0]] * 3)
    # Items 1 and 4 were never sold, item 2 once; the probabilities are not touched.
    factors = {1: 4.0, 2: 2.0, 3: 4 ** (1 / 32), 4: 4.0, 5: 4 ** (1 / 4)}
    found = dict(zip(items[0].tolist(), values[0].tolist(), strict=True))
    assert found == pytest.approx({item: before[item] * factors[item] for item in before})
    assert (np.diff(values[0]) <= 0).all() and (chances["purchase"] <= 1).all()
    frame = pd.DataFrame({"item_id": [str(item) for item in range(1, NUM_ITEMS + 1)]})
    weighed = SurfaceConfig(places=5, depth=5, return_penalty=0.0)
    display = DisplayOrder(weighed, frame, {})
    shown = Recommender(raised.retriever, raised.ranker, 5, display).show(
        pad_histories(three_shoppers(), 10), tf.zeros([3, 1], tf.int64), count=5
    )
    chances = shown.probabilities["purchase"][0].numpy()
    worth = chances * [factors[item] for item in shown.items[0].numpy()]
    assert (np.diff(worth) <= 0).all() and (np.diff(chances) > 0).any()


def test_hidden_items_are_never_shown_and_others_take_their_places():
    items, _, _ = recommend(make_recommender(candidates=3), [[1, 2], [5, 0], [3, 3]])
    assert sorted(items[0]) == [3, 4, 5]
    assert 5 not in items[1] and 3 not in items[2]
    assert (items > 0).all()


def test_too_few_items_end_in_zeros():
    items, values, _ = recommend(make_recommender(candidates=9), [[1, 2], [0, 0], [4, 5]])
    assert [np.count_nonzero(row) for row in items] == [3, 5, 3]
    for row in range(3):
        count = np.count_nonzero(items[row])
        assert sorted(items[row, count:]) == [0] * (9 - count)
        assert (values[row, :count] >= 0).all() and (values[row, count:] == -1).all()


def test_everything_hidden():
    items, _, _ = recommend(make_recommender(), [[1, 2, 3, 4, 5]] * 3)
    assert not items.any()


def test_retrieval_scorer_gives_the_retrievers_scores():
    recommender = make_recommender()
    model = recommender.retriever.model
    found = RetrievalScorer(model).score(three_shoppers())
    assert found.shape == (3, NUM_ITEMS + 1) and found.dtype == np.float32
    expected = recommender.retriever.scores(pad_histories(three_shoppers(), 10))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_retrieval_scorer_sees_later_training_after_refresh():
    model = retrieval_model()
    scorer = RetrievalScorer(model)
    before = scorer.score(three_shoppers())
    randomise(model)
    scorer.refresh()
    after = scorer.score(three_shoppers())
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, RetrievalScorer(model).score(three_shoppers()), atol=1e-6)


def test_a_display_order_is_scored_by_its_places():
    recommender = make_recommender(candidates=4)
    frame = pd.DataFrame({"item_id": [str(item) for item in range(1, NUM_ITEMS + 1)]})
    last = int(recommend(recommender, [[0]] * 3)[0][0, 3])
    config = SurfaceConfig(places=3, pinned=[PinnedProduct(item_id=str(last), place=1)])
    shown = Recommender(
        recommender.retriever, recommender.ranker, 4, DisplayOrder(config, frame, {})
    )
    scorer = TwoStageScorer(shown, hide_history=False)
    scores = scorer.score(three_shoppers())
    assert scorer.name == "retrieval+ranking+display"
    assert (1 + scores[:, 1:].argmax(axis=1) == last).all()
    # The others keep their order, and what was no candidate stays behind.
    plain = TwoStageScorer(recommender, hide_history=False).score(three_shoppers())
    for row in range(3):
        order = [item for item in 1 + np.argsort(-plain[row, 1:]) if item != last]
        assert (1 + np.argsort(-scores[row, 1:])).tolist()[1:] == order
    assert len(set(scores[0, 1:])) == NUM_ITEMS


@pytest.mark.parametrize("hide_history", [False, True])
def test_two_stage_scorer_puts_candidates_first_and_the_rest_in_retrieval_order(hide_history):
    recommender = make_recommender(candidates=2)
    found = TwoStageScorer(recommender, hide_history=hide_history).score(three_shoppers())
    seen = [[1, 2, 0], [4, 0, 0], [0, 0, 0]]
    items, values, _ = recommend(recommender, seen if hide_history else [[0]] * 3)
    first_stage = RetrievalScorer(recommender.retriever.model).score(three_shoppers())
    for row in range(3):
        order = 1 + np.argsort(-found[row, 1:])
        assert order[:2].tolist() == items[row].tolist()
        np.testing.assert_allclose(found[row, items[row]], values[row], rtol=1e-5)
        rest = [item for item in 1 + np.argsort(-first_stage[row, 1:]) if item not in items[row]]
        assert order[2:].tolist() == rest
        assert len(set(found[row, 1:])) == NUM_ITEMS, "no ties"


def test_two_stage_scorer_keeps_the_digits_of_the_rest():
    """Scores that are close together stay apart, whatever the values of the candidates."""
    recommender = make_recommender(candidates=2, event_weights={"purchase": 1e-3})
    found = TwoStageScorer(recommender, hide_history=False).score(three_shoppers())
    first_stage = RetrievalScorer(recommender.retriever.model).score(three_shoppers())
    for row in range(3):
        rest = 1 + np.argsort(-found[row, 1:])[2:]
        np.testing.assert_allclose(
            np.diff(found[row, rest]), np.diff(first_stage[row, rest]), atol=1e-5
        )


def test_a_display_order_that_weighs_no_target_event_is_refused():
    ordinary = make_recommender()
    items = pd.DataFrame({"item_id": [str(item) for item in range(1, NUM_ITEMS + 1)]})
    display = DisplayOrder(SurfaceConfig(event_weights={"purchse": 2.0}), items, {})
    with pytest.raises(UserError, match=r"display\.event_weights has a weight of `purchse`"):
        Recommender(ordinary.retriever, ordinary.ranker, ordinary.candidates, display)
