"""Features of a shopper and a candidate, worked by hand over a catalogue of five items."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.small_model import BRAND, five_items
from tfrec.data.item_links import ItemLinks
from tfrec.data.log_statistics import ITEM_STATISTICS, LogStatistics
from tfrec.models.alike_links import alike_links
from tfrec.models.borrowed_neighbours import with_borrowed
from tfrec.models.ranking_features import CandidateFeatures, retrieval_features
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.stand_ins import StandIns

DAY = 86_400
START = 1_700_000_000
NEIGHBOURS = ItemLinks(
    np.array([[0, 0], [2, 3], [1, 0], [1, 2], [5, 1], [0, 0]], np.int32),
    np.array([[0, 0], [0.5, 0.2], [0.5, 0], [0.5, 0.25], [0.9, 0.1], [0, 0]], "f4"),
)
PREDECESSORS = ItemLinks(
    np.array([[0, 0], [2, 0], [3, 0], [1, 2], [5, 0], [0, 0]], np.int32),
    np.array([[0, 0], [4, 0], [1, 0], [2, 0.5], [3, 0], [0, 0]], "f4"),
)
SALES = np.zeros(6, np.float32)


@pytest.fixture(scope="module")
def features():
    statistics = np.arange(6 * len(ITEM_STATISTICS), dtype=np.float32).reshape(6, -1)
    log = LogStatistics(NEIGHBOURS, PREDECESSORS, statistics, SALES)
    return CandidateFeatures(Catalogue(five_items()), log, target_events=[1], return_event=2)


def shopper(pad=0):
    """Buys 1 and 2 on day 0 and 1 again on day 30, and sends 2 back on day 60."""
    history = {
        "items": [1, 2, 1, 2],
        "events": [1, 1, 1, 2],
        "timestamps": [START + day * DAY for day in (0, 0, 30, 60)],
    }
    return {name: tf.constant([values + [0] * pad], tf.int64) for name, values in history.items()}


def describe(features, candidates, history, retrieval=None):
    candidates = tf.constant([candidates], tf.int64)
    if retrieval is None:
        retrieval = tf.zeros([1, candidates.shape[1], 3])
    values = features(**history, candidates=candidates, retrieval=retrieval).numpy()
    assert values.shape == (1, candidates.shape[1], len(features.names))
    return {name: values[0, :, place] for place, name in enumerate(features.names)}


def test_names_are_distinct(features):
    assert len(set(features.names)) == len(features.names)


def test_own_weights(features):
    found = describe(features, [1, 2, 3], shopper())
    # By steps 0.7 a hit since: 0.49, 0.7 and 1. By days, half in 30: 1/4, 1/4 and 1/2.
    np.testing.assert_allclose(np.expm1(found["own_hits"]), [2, 1, 0], rtol=1e-5)
    np.testing.assert_allclose(np.expm1(found["own_steps"]), [1.49, 0.7, 0], rtol=1e-5)
    np.testing.assert_allclose(np.expm1(found["own_days"]), [0.75, 0.25, 0], rtol=1e-5)
    np.testing.assert_allclose(np.expm1(found["own_last"]), [1, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(np.expm1(found["own_returns"]), [0, 1, 0], rtol=1e-5)


def test_neighbour_weights(features):
    found = describe(features, [3, 4], shopper())
    # Item 3 is near 1 (0.5) and 2 (0.25), item 4 near 5, which the shopper never had, and 1 (0.1).
    np.testing.assert_allclose(np.expm1(found["neighbour_hits"]), [1.25, 0.2], rtol=1e-5)
    np.testing.assert_allclose(
        np.expm1(found["neighbour_steps"]), [0.5 * 1.49 + 0.25 * 0.7, 0.149], rtol=1e-5
    )
    np.testing.assert_allclose(
        np.expm1(found["neighbour_days"]), [0.5 * 0.75 + 0.25 * 0.25, 0.075], rtol=1e-5
    )
    np.testing.assert_allclose(np.expm1(found["neighbour_last"]), [0.5, 0.1], rtol=1e-5)
    np.testing.assert_allclose(np.expm1(found["neighbour_returns"]), [0.25, 0], atol=1e-6)
    np.testing.assert_allclose(found["neighbour_share_hits"], [1.25 / 3, 0.2 / 3], rtol=1e-5)
    np.testing.assert_allclose(found["neighbour_share_days"], [0.4375, 0.075], rtol=1e-5)
    np.testing.assert_allclose(found["neighbour_share_last"], [0.5, 0.1], rtol=1e-5)


def test_what_follows_the_history(features):
    found = describe(features, [3, 1, 4], shopper())
    # Item 3 came after 1 (2) and 2 (0.5), item 1 after 2 (4), item 4 after 5, which nobody had.
    np.testing.assert_allclose(
        np.expm1(found["follower_steps"]), [2 * 1.49 + 0.5 * 0.7, 4 * 0.7, 0], atol=1e-5
    )
    np.testing.assert_allclose(np.expm1(found["follower_last"]), [2, 0, 0], atol=1e-5)


def test_only_items_without_neighbours_borrow_predecessors():
    neighbours, predecessors = (
        ItemLinks(*(values.copy() for values in links)) for links in (NEIGHBOURS, PREDECESSORS)
    )
    for values in neighbours:
        values[4] = 0
    for values in predecessors:
        values[3:5] = 0
    log = LogStatistics(
        neighbours,
        predecessors,
        np.zeros((6, len(ITEM_STATISTICS)), np.float32),
        SALES,
    )
    made = CandidateFeatures(Catalogue(five_items()), log, target_events=[1], return_event=None)
    found = describe(made, [3, 4], shopper())
    # Nothing was had before item 3, though others were had with it; nobody had item 4.
    assert not found["follower_steps"][0]
    assert found["follower_steps"][1] > 0


def test_what_is_described_alike(features):
    found = describe(features, [3, 4], shopper())
    text = features.text.numpy()
    sales = np.expm1(np.arange(6.0) * len(ITEM_STATISTICS))
    alike, of_alike = alike_links(
        with_borrowed(NEIGHBOURS, StandIns.of(text, np.array([5]))), features.alike.matrix(), sales
    )
    weights = {"steps": [0, 1.49, 0.7, 0, 0, 0], "last": [0, 1, 0, 0, 0, 0]}
    for name, links in (("alike", alike), ("of_alike", of_alike)):
        for weighting, weight in weights.items():
            expected = (links.matrix() @ np.array(weight))[[3, 4]]
            assert expected.any()
            np.testing.assert_allclose(
                np.expm1(found[f"{name}_{weighting}"]), expected, rtol=1e-4, atol=1e-6
            )


def test_text_similarity(features):
    found = describe(features, [3, 5], shopper())
    text = five_items().text
    centred = text[1:] - text[1:].mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    for name, weights in {
        "hits": [2, 1],
        "steps": [1.49, 0.7],
        "days": [0.75, 0.25],
        "last": [1, 0],
    }.items():
        profile = np.array(weights) @ unit[:2]
        expected = unit[[2, 4]] @ profile / np.linalg.norm(profile)
        np.testing.assert_allclose(found[f"text_{name}"], expected, atol=1e-5)


def test_price(features):
    found = describe(features, [2, 3, 4, 5], shopper())
    # Prices 3, unknown, 7 and 0; the mean of the shopper's, 1 and 3, weighs the last hits most.
    mean = (1.49 * np.log(2) + 0.7 * np.log(4)) / 2.19
    np.testing.assert_allclose(found["log_price"], np.log([4, 1, 8, 1]), atol=1e-6)
    np.testing.assert_allclose(found["price_known"], [1, 0, 1, 1])
    expected = [np.log(4) - mean, 0, np.log(8) - mean, -mean]
    np.testing.assert_allclose(found["price_gap"], expected, atol=1e-5)


def test_categories(features):
    # Items 1 and 2 are of brand 1, items 3 and 4 of brand 2, item 5 of none.
    found = describe(features, [1, 2, 3, 4, 5], shopper())
    np.testing.assert_allclose(found[f"category_{BRAND}"], [1, 1, 0, 0, 0], atol=1e-6)


def test_statistics_and_shopper(features):
    found = describe(features, [4, 1], shopper())
    for place, name in enumerate(ITEM_STATISTICS):
        width = len(ITEM_STATISTICS)
        np.testing.assert_allclose(found[name], [4 * width + place, width + place])
    np.testing.assert_allclose(found["history_log_length"], np.log1p([3, 3]), rtol=1e-6)
    # One of three purchases repeats an earlier one; one return.
    np.testing.assert_allclose(found["history_repeat_share"], [1 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(found["history_return_share"], [1 / 3, 1 / 3], rtol=1e-6)


def test_retrieval_features_are_passed_on(features):
    retrieval = tf.constant([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    found = describe(features, [1, 2], shopper(), retrieval)
    assert found["retrieval_score"].tolist() == [1, 4]
    assert found["retrieval_log_probability"].tolist() == [2, 5]
    assert found["retrieval_gap_to_best"].tolist() == [3, 6]


def test_padding_and_other_candidates_have_no_say(features):
    plain = describe(features, [1, 2, 3, 4, 5], shopper())
    padded = describe(features, [1, 2, 3, 4, 5], shopper(pad=3))
    alone = [describe(features, [item], shopper()) for item in range(1, 6)]
    for name, values in plain.items():
        np.testing.assert_allclose(padded[name], values, atol=1e-6, err_msg=name)
        single = np.concatenate([one[name] for one in alone])
        np.testing.assert_allclose(single, values, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("length", [1, 3])
def test_an_empty_history(features, length):
    nothing = {name: tf.zeros([1, length], tf.int64) for name in shopper()}
    found = describe(features, [0, 1, 3], nothing)
    of_the_item = {"log_price", "price_known", *ITEM_STATISTICS}
    for name, values in found.items():
        assert np.isfinite(values).all(), name
        if name not in of_the_item:
            assert not values.any(), name


def test_a_log_without_time_or_returns():
    counts = np.zeros((6, len(ITEM_STATISTICS)), np.float32)
    log = LogStatistics(NEIGHBOURS, PREDECESSORS, counts, SALES)
    made = CandidateFeatures(Catalogue(five_items()), log, target_events=[1], return_event=None)
    history = shopper() | {"timestamps": tf.zeros([1, 4], tf.int64)}
    found = describe(made, [1, 2], history)
    # Nothing fades by day, and event 2 is neither a hit nor a return.
    np.testing.assert_allclose(np.expm1(found["own_days"]), [2, 1], rtol=1e-5)
    assert not found["own_returns"].any() and not found["history_return_share"].any()


def test_retrieval_features_worked_by_hand():
    # At temperature 0.5 the cosines stand for logits log 4, log 1, log 5 among three items.
    scores = np.float32([[99.0, 0.5 * np.log(4), 0.0, 0.5 * np.log(5)]])
    found = retrieval_features(tf.constant(scores), tf.constant([[1, 2, 3]]), 0.5).numpy()[0]
    np.testing.assert_allclose(found[:, 0], scores[0, 1:], rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], np.log([0.4, 0.1, 0.5]), rtol=1e-5)
    np.testing.assert_allclose(found[:, 2], scores[0, 1:] - scores[0, 3], atol=1e-6)
