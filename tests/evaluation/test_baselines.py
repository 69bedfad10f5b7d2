from math import sqrt

import numpy as np
import pytest

from tests.evaluation.small_shop import RETURN, make_histories, make_shop
from tfrec.evaluation.baselines import ItemKNN, Popularity, TextKNN
from tfrec.evaluation.baselines.item_knn import ItemKNNSettings

PLAIN = ItemKNNSettings(shrinkage=0.0, length_exponent=0.0)


def plain(**changes):
    return ItemKNNSettings(**{"shrinkage": 0.0, "length_exponent": 0.0, **changes})


# Shoppers of items: 1 has a, b, c; 2 has a, b; 3 has c; 4 has a returned only.
TRAIN = [[1, 2], [1, 2, 2], [1, 3], [(1, RETURN), 4]]


@pytest.fixture
def shop():
    return make_shop(5, TRAIN, [[]], [[1]])


class TestPopularity:
    def test_scores_are_target_events_in_training(self, shop):
        scores = Popularity.fit(shop).score(make_histories([[], [1]]))
        # Returns are no target events; a second purchase by one shopper counts.
        assert scores.tolist() == [[0, 3, 3, 1, 1, 0]] * 2


class TestItemKNN:
    def test_similarity_is_the_cosine_over_shoppers(self, shop):
        similarity = ItemKNN.fit(shop, PLAIN).similarity.toarray()
        # Item 1: three shoppers; 2: two; 3: one; 4: one, who only returned item 1.
        assert similarity[1].tolist() == pytest.approx([0, 1, 2 / sqrt(6), 1 / sqrt(3), 0, 0])
        assert similarity[4].tolist() == [0, 0, 0, 0, 1, 0]
        assert np.allclose(similarity, similarity.T)

    def test_shrinkage_is_added_to_the_denominator(self, shop):
        similarity = ItemKNN.fit(shop, plain(shrinkage=2.0)).similarity.toarray()
        assert similarity[1].tolist() == pytest.approx(
            [0, 3 / 5, 2 / (sqrt(6) + 2), 1 / (sqrt(3) + 2), 0, 0]
        )

    def test_scores_are_sums_over_the_events_of_the_history(self, shop):
        model = ItemKNN.fit(shop, plain(decay=0.5))
        scores = model.score(make_histories([[3, 1], [3, (1, RETURN)]]))
        expected = 1 / 2 * 1 / sqrt(3) + 1
        assert scores[0, 1] == pytest.approx(expected, abs=1e-5)
        assert scores[0, 2] == pytest.approx(2 / sqrt(6), abs=1e-5)
        assert scores[0, 3] == pytest.approx(1 / 2 + 1 / sqrt(3), abs=1e-5)
        assert scores[1, 1] == pytest.approx(1 / sqrt(3), abs=1e-5)

    def test_self_weight_raises_re_purchases_only(self, shop):
        scores = ItemKNN.fit(shop, plain(self_weight=4.0)).score(make_histories([[1]]))
        assert scores[0, 1] == pytest.approx(4, abs=1e-5)
        assert scores[0, 2] == pytest.approx(2 / sqrt(6), abs=1e-5)

    def test_a_shopper_without_a_history_gets_what_is_popular(self, shop):
        scores = ItemKNN.fit(shop, PLAIN).score(make_histories([[]]))[0]
        popularity = Popularity.fit(shop).score(make_histories([[]]))[0]
        assert np.array_equal(
            np.argsort(-scores, kind="stable"), np.argsort(-popularity, kind="stable")
        )
        assert scores.max() <= 1e-6

    def test_popularity_only_breaks_ties(self, shop):
        scores = ItemKNN.fit(shop, PLAIN).score(make_histories([[4]]))[0]
        assert np.argsort(-scores, kind="stable").tolist()[:4] == [4, 1, 2, 3]

    def test_only_the_nearest_neighbours_are_kept_and_the_item_itself(self, shop):
        similarity = ItemKNN.fit(shop, plain(neighbours=1)).similarity.toarray()
        assert np.flatnonzero(similarity[1]).tolist() == [1, 2]
        none = ItemKNN.fit(shop, plain(neighbours=0)).similarity.toarray()
        assert np.allclose(none, np.diag([0, 1, 1, 1, 1, 0]))

    def test_wrong_settings_say_what_was_received(self):
        with pytest.raises(ValueError, match="neighbours=-1"):
            ItemKNNSettings(neighbours=-1)
        with pytest.raises(ValueError, match="shrinkage=-2"):
            ItemKNNSettings(shrinkage=-2)
        with pytest.raises(ValueError, match="decay=0"):
            ItemKNNSettings(decay=0)


class TestTextKNN:
    # Centred: the mean is (1, 0), so the items point right, left, up and down.
    VECTORS = np.array([[2.0, 0], [0, 0], [1, 3], [1, -3]])
    EVENTS = np.array([4, 3, 2, 1])

    def score(self, pasts, **settings):
        model = TextKNN(self.VECTORS, train_events=self.EVENTS, **settings)
        return model.score(make_histories(pasts))

    def test_vectors_are_centred_and_scaled(self):
        assert self.score([[1]])[0, 1:].tolist() == pytest.approx([1, -1, 0, 0], abs=1e-5)

    def test_recent_events_weigh_more(self):
        assert self.score([[1, 3]])[0, 1:].tolist() == pytest.approx(
            [1 / 2, -1 / 2, 1, -1], abs=1e-5
        )

    def test_a_shopper_without_a_history_gets_what_is_popular(self):
        scores = self.score([[]])[0]
        assert np.argsort(-scores).tolist() == [1, 2, 3, 4, 0]

    def test_a_vector_at_the_mean_resembles_nothing(self):
        model = TextKNN(np.array([[2.0, 0], [0, 0], [1, 0]]), train_events=np.zeros(3))
        assert model.score(make_histories([[3]])).tolist() == [[0, 0, 0, 0]]

    def test_fit_skips_events_that_are_no_target(self, shop):
        model = TextKNN.fit(shop, np.eye(5))
        with_return = model.score(make_histories([[1, (2, RETURN)]]))
        assert np.array_equal(with_return, model.score(make_histories([[1]])))

    def test_one_vector_an_item(self, shop):
        with pytest.raises(ValueError, match="4 rows for 5 items"):
            TextKNN.fit(shop, np.eye(4))
