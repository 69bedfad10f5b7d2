"""Two policies compared from examples: weights by hand, warnings, and what cannot be compared."""

import json

import numpy as np
import pandas as pd
import pytest

from tfrec.config import SurfaceConfig
from tfrec.errors import UserError
from tfrec.feedback.comparison import NewOrders, compare_policies
from tfrec.feedback.estimators import DOUBLY_ROBUST, IPS, LOGGED, Estimate, Support
from tfrec.feedback.report import verdict

SURFACE = SurfaceConfig(places=2, depth=3, exploration_share=0.5)
CERTAIN = SurfaceConfig(places=2, depth=3)
LOOKS = np.array([1.0, 0.5])
# The chances of two places that are left to chance half the time, for the ranks of three items.
CHANCES = np.array([[2 / 3, 1 / 4], [1 / 6, 13 / 24], [1 / 6, 5 / 24]])


def table(ranks=((0, 1), (1, 0)), propensity=np.nan, users=("u", None)):
    """Two lists of the items a, b of which the second of the first list was clicked."""
    lists = len(ranks)
    return pd.DataFrame(
        {
            "user": list(users),
            "item_id": [np.array(["a", "b"])] * lists,
            "position": [np.array([1, 2])] * lists,
            "rank": [np.array(rank) for rank in ranks],
            "propensity": [np.full(2, propensity)] * lists,
            "label_click": [np.array([False, row == 0]) for row in range(lists)],
        }
    )


def orders(surface=CERTAIN, items=("b", "c", "a")):
    return NewOrders(np.array([items] * 2), np.array([[3.0, 2.0, 1.0]] * 2), surface)


def compare(examples, logged=SURFACE, new=None, by_score=True, most_weight=1e9):
    return compare_policies(
        examples,
        orders() if new is None else new,
        LOOKS,
        logged,
        ["click"],
        by_score=by_score,
        most_weight=most_weight,
    )


def test_position_based_weights_by_hand():
    """b, second of the first list, would be first: all of the looks against its chances."""
    attention = CHANCES @ LOOKS
    found = compare(table())
    weight = 1.0 / attention[1]
    assert found.estimates["click"][IPS].value == pytest.approx(weight / 2 / 2)
    assert found.estimates["click"][LOGGED].value == pytest.approx(1 / 4)
    assert found.support.largest == pytest.approx(max(weight, 1.0 / attention[0]))
    assert (found.places, found.model, found.shoppers) == (2, "position-based", 2)


def test_a_new_policy_may_explore_too():
    new = orders(SurfaceConfig(places=2, depth=3, exploration_share=0.5))
    attention = CHANCES @ LOOKS
    found = compare(table(), new=new)
    assert found.estimates["click"][IPS].value == pytest.approx(attention[0] / attention[1] / 4)


def test_item_position_weights_by_hand():
    found = compare(table(propensity=0.2), new=orders(items=("a", "b", "c")), by_score=False)
    assert found.estimates["click"][IPS].value == pytest.approx((1 / 0.2) / 4)
    assert found.model == "item-position"
    elsewhere = compare(table(propensity=0.2), by_score=False)
    assert elsewhere.estimates["click"][IPS].value == 0.0, "b would stand at another place"


def test_the_same_policy_earns_what_the_log_says():
    ranks = ((0, 1), (0, 1))
    found = compare(table(ranks), logged=CERTAIN, new=orders(items=("a", "b", "c")))
    rewards = found.estimates["click"]
    assert rewards[IPS].value == rewards[DOUBLY_ROBUST].value == rewards[LOGGED].value
    assert found.support.covered == pytest.approx(1.0)
    assert found.support.effective_lists == pytest.approx(2.0)


def test_what_the_log_could_never_show_is_warned_of():
    ranks = ((0, 1), (0, 1))
    found = compare(table(ranks), logged=CERTAIN, new=orders(items=("c", "d", "b")))
    assert found.support.covered == 0.0
    assert any("hardly ever showed 100%" in warning for warning in found.warnings)
    assert any("as much as 0 lists" in warning for warning in found.warnings)
    assert any("2 shoppers" in warning for warning in found.warnings)
    assert "warning: " in repr(found)
    assert "The log cannot tell which policy brings more click events" in repr(found)


@pytest.mark.parametrize(
    ("change", "covered", "sentence"),
    [
        ((0.1, 0.3), (0.9, 1.1), "The new policy brings more click"),
        ((-0.3, -0.1), (0.9, 1.1), "The new policy brings fewer click"),
        ((-0.1, 0.1), (0.9, 1.1), "No difference in click"),
        ((0.1, 0.3), (0.5, 0.9), "The log cannot tell"),
        ((0.1, 0.3), (1.1, 1.5), "The log cannot tell"),
        ((np.nan, np.nan), (0.9, 1.1), "The log cannot tell"),
    ],
)
def test_verdict(change, covered, sentence):
    told = Support(100.0, 100, 1.0, *covered, 0.0, 1.0)
    estimate = Estimate(0.5, 0.4, 0.6, 0.2, *change)
    assert verdict("click", estimate, told).startswith(sentence)


def test_wrong_propensities_are_warned_of():
    found = compare(table(propensity=0.01), new=orders(items=("a", "b", "c")), by_score=False)
    assert any("do not trust" in warning for warning in found.warnings)
    clipped = compare(
        table(propensity=0.01), new=orders(items=("a", "b", "c")), by_score=False, most_weight=5
    )
    assert clipped.support.largest == 5 and any("100.0%" in each for each in clipped.warnings)


def test_one_shopper_has_no_interval():
    told = compare(table(users=("u", "u"))).to_json()
    ips = told["estimates"]["click"][IPS]
    assert ips["value"] > 0 and ips["low"] is None and ips["change_high"] is None
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@pytest.mark.parametrize(
    ("examples", "logged", "by_score", "sentence"),
    [
        (table(), SURFACE, False, "does not say how likely its lists were"),
        (table(ranks=((-1, -1), (0, 1))), SURFACE, True, "needs the scores of all"),
        (table(ranks=((2, 0), (0, 1))), CERTAIN, True, "not in the order of their scores"),
    ],
)
def test_what_cannot_be_compared(examples, logged, by_score, sentence):
    with pytest.raises(UserError, match=sentence):
        compare(examples, logged=logged, by_score=by_score)
