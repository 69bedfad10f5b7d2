"""Fitting the cold start on items that are pretended to be new."""

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.small_shop import make_histories
from tests.models.small_model import COUNTRY, NUM_ITEMS, randomise, retrieval_model
from tfrec.evaluation.cases import Cases
from tfrec.models.recommender import Retriever
from tfrec.towers.histories import pad_histories
from tfrec.training import cold_start
from tfrec.training.cold_start import DECAYS, NONE, PretendedCases, choose, fit_cold_start, pretend

PASTS = [[1, 2], [2, (3, 2)], [3, 5], [4]]
TARGETS = [3, 5, 1, 2]


def two_cases():
    """Two shoppers and three items; to the first one item 1 is new, to the second item 3."""
    return PretendedCases(
        scores=np.array([[-np.inf, 0.1, 0.5, 0.3], [-np.inf, 0.4, 0.2, 0.1]], np.float32),
        towards={0.5: np.array([[0.0, 1.0, 0.0, 0.5], [0.0, 0.2, 1.0, 0.4]], np.float32)},
        sales=np.array([0.0, 3.0, 9.0, 1.0]),
        pretended=np.array([[False, True, False, False], [False, False, False, True]]),
        target_offsets=np.array([0, 1, 2]),
        target_item=np.array([1, 2]),
    )


def test_the_figures_worked_by_hand():
    # Nothing is fitted: the new item of the first shopper is third, the known one of the second
    # shopper is second.
    old, new = two_cases().ndcg(share=0.0, pseudo_sales=3.0, decay=0.5, bonus=0.0)
    assert (old, new) == pytest.approx((1 / np.log2(3), 1 / np.log2(4)))
    # .1 + .3 against .5 and .3 + .3 * (3 / 4) * .5: third still. .2 + .3 * (3 / 12) against
    # .4 + .3 * (3 / 6) * .2: second still.
    old, new = two_cases().ndcg(share=0.3, pseudo_sales=3.0, decay=0.5, bonus=0.0)
    assert (old, new) == pytest.approx((1 / np.log2(3), 1 / np.log2(4)))
    # .1 + .3 + .2 is first: item 2 gets next to nothing and item 3 .2 / 2. The other shopper sees
    # item 1 at .43 + .2 / 8, item 3 at .22 + .2 and item 2, which he chose, at .275.
    old, new = two_cases().ndcg(share=0.3, pseudo_sales=3.0, decay=0.5, bonus=0.2)
    assert (old, new) == pytest.approx((1 / np.log2(4), 1.0))


def test_without_new_targets_there_is_a_figure_of_the_others():
    nobody = replace(two_cases(), pretended=np.zeros((2, 4), bool))
    assert nobody.ndcg(share=0.0, pseudo_sales=3.0, decay=0.5, bonus=0.0)[1] == 0.0


@pytest.fixture
def model():
    model = retrieval_model(cold_start=True, trend_days=[30], memory_neighbours=3)
    randomise(model)
    model.memory.weight.assign(0.3)
    model.trend.weights_of_windows.assign([0.05, -0.02])
    model.count(make_histories([[1, 1, 2, 3], [2, 3, 4, 5], [5, 1]]))
    return model


@pytest.fixture
def cases():
    histories = make_histories(PASTS)
    histories.context[COUNTRY] = np.array([1, 1, 1, 2, 2, 2, 1], np.int32)
    return Cases(
        split="valid",
        repeats="exclude",
        indices=np.arange(4),
        histories=histories,
        target_offsets=np.arange(5),
        target_item=np.array(TARGETS, np.int32),
        new_shopper=np.zeros(4, bool),
        train_events=np.ones(NUM_ITEMS, np.int64),
        dropped=0,
    )


def test_items_are_scored_as_if_they_were_new(model, cases):
    found = pretend(model, cases, seed=0)
    # For half of the shoppers what they chose is new, for the others it is not; items have draws
    # of their own, as there are more draws than items.
    assert found.pretended[np.arange(4), TARGETS].sum() == 2
    assert found.pretended.sum(axis=1).max() == 1
    history = pad_histories(cases.histories, 50)
    shown = np.isfinite(found.scores)
    assert (~shown).sum(axis=1).tolist() == [3, 3, 3, 2], "the histories, and no item"
    known = shown & ~found.pretended
    scores = Retriever(model).scores(history).numpy()
    np.testing.assert_allclose(found.scores[known], scores[known], atol=1e-5)
    # Pretending is the same as never having learned, sold or been bought together.
    row = int(np.flatnonzero(found.pretended[np.arange(4), TARGETS])[0])
    item = TARGETS[row]
    queries = Retriever(model).query_vectors(history).numpy()
    offset = model.item_tower.id_offset
    table = offset.numpy().copy()
    table[item] = 0.0
    sales = model.trend.log_sales.numpy().copy()
    offset.assign(table)
    lent = model.id_offsets.lend(sales, ~model.id_offsets.learned())
    vector = model.item_vectors().numpy()[item]
    expected = queries[row] @ vector + lent[item] @ [0.05, -0.02]
    assert found.scores[row, item] == pytest.approx(expected, abs=1e-5)


def test_without_stand_ins_nothing_is_lent(cases):
    model = retrieval_model(cold_start=True, trend_days=[30], stand_ins=False)
    randomise(model)
    model.trend.weights_of_windows.assign([0.05, -0.02])
    model.count(make_histories([[1, 1, 2, 3], [2, 3, 4, 5], [5, 1]]))
    found = pretend(model, cases, seed=0)
    row = int(np.flatnonzero(found.pretended[np.arange(4), TARGETS])[0])
    item = TARGETS[row]
    query = Retriever(model).query_vectors(pad_histories(cases.histories, 50)).numpy()[row]
    new = np.arange(NUM_ITEMS + 1) == item
    with model.id_offsets.pretending(new):
        vector = model.item_vectors().numpy()[item]
    assert found.scores[row, item] == pytest.approx(query @ vector, abs=1e-5)


def test_the_graph_scores_what_was_fitted(model, cases):
    found = pretend(model, cases, seed=0)
    settings = {"share": 0.4, "pseudo_sales": 20.0, "decay": 0.3, "bonus": 0.1}
    model.cold_start.fit(**settings)
    scores = Retriever(model).scores(pad_histories(cases.histories, 50)).numpy()
    weights = 0.4 * 20 / (20 + found.sales)
    expected = found.scores + weights * found.towards[0.3] + 0.1 * 0.5**found.sales
    known = np.isfinite(found.scores) & ~found.pretended
    np.testing.assert_allclose(scores[known], expected[known], atol=1e-5)


class Validated:
    """What the fit reads of a validation, and of a data set."""

    modes = ((None, None),)

    def log_before(self, split):
        assert split == "valid"
        return make_histories([[1, 1, 2, 3], [2, 3, 4, 5], [5, 1]])


def test_the_price_is_what_the_others_lose(model, monkeypatch):
    # NDCG of the others is .63, 1 / log2(3), as long as the new item stands behind the one that was
    # chosen: with a bonus of .02 it is before it, .03 against .02, and .5 is left, .2075 less. With
    # .06 the other new item is first: .07 against .056.
    cases = replace(two_cases(), scores=two_cases().scores / 10)
    none = dict.fromkeys(DECAYS, np.zeros_like(cases.scores))
    monkeypatch.setattr(cold_start, "pretend", lambda *_: replace(cases, towards=none, known={}))
    fitted = []
    for price in (0.0, 0.2, 0.21):
        model.config = model.config.model_copy(update={"new_item_price": price})
        fit_cold_start(model, Validated(), Validated(), seed=0)
        fitted.append((float(model.cold_start.share), float(model.cold_start.bonus)))
    assert fitted == [(0.0, 0.0), (0.0, 0.0), (0.0, pytest.approx(0.05))]
    assert model.cold_start.sales.numpy().tolist() == [0, 3, 2, 2, 1, 2]


def test_where_no_other_item_is_found_nothing_can_be_paid():
    cases = two_cases()
    # Both shoppers chose items that are new to them.
    cases = replace(cases, target_item=np.array([1, 3]), known={})
    assert choose(cases, price=0.5) == NONE
