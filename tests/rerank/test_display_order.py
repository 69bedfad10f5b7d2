"""The rules of a surface over eight items that are worth less and less."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tfrec.config import DisplayConfig, SurfaceConfig
from tfrec.errors import UserError
from tfrec.index.item_vectors import ItemVectors
from tfrec.rerank.display_order import PLACEMENTS, DisplayOrder
from tfrec.rerank.rules import check_surfaces

COUNT = 8
BRANDS = [0, 1, 1, 1, 2, 2, 3, 0]
ITEMS = pd.DataFrame(
    {
        "item_id": list("abcdefgh"),
        "available": [True] * 7 + [False],
        "margin": [1.0, 1.0, 1.0, 1.0, 1.0, 8.0, np.nan, 0.0],
    }
)
CATEGORIES = {"brand": tf.Variable(np.array([[0], *[[b] for b in BRANDS]], np.int32))}
VALUES = np.linspace(0.8, 0.1, COUNT, dtype=np.float32)[np.newaxis]
NOTHING = tf.zeros([1, 1], tf.int64)


def arrange(items="abcdefgh", values=VALUES, hidden="", seeds=("s",), most=COUNT, **settings):
    """Returns the items as letters, and why each stands there."""
    settings = {"places": 5, "depth": COUNT, **settings}
    order = DisplayOrder(SurfaceConfig.model_validate(settings), ITEMS, CATEGORIES)
    columns = [[" abcdefgh".index(letter) for letter in items]] * len(seeds)
    shown = tf.constant(columns, tf.int64)
    out = tf.constant([[" abcdefgh".index(letter) for letter in hidden or " "]], tf.int64)
    out = tf.repeat(out, len(seeds), axis=0)
    values = tf.repeat(tf.constant(values)[:, : len(items)], len(seeds), axis=0)
    if len(order.rules):
        own = order.products(shown, out, tf.constant([False, *ITEMS["available"]]))
        shown = tf.concat([shown, own], axis=1)
        values = tf.concat([values, tf.fill(tf.shape(own), 0.05)], axis=1)
    vectors = ItemVectors(tf.eye(COUNT + 1))
    found = order(shown, order.values(shown, values), vectors, tf.constant(seeds), most)
    letters = np.array(list(" abcdefgh"))[tf.gather(shown, found.order, batch_dims=1).numpy()]
    reasons = np.array(PLACEMENTS)[found.placement.numpy()]
    if len(seeds) > 1:
        return ["".join(row) for row in letters], reasons
    return "".join(letters[0]).rstrip(), [name for name in reasons[0] if name]


def test_without_rules_by_value():
    assert arrange(items="cab", values=np.array([[0.1, 0.9, 0.5]], np.float32)) == (
        "abc",
        ["ranked"] * 3,
    )


def test_caps_hold_in_the_first_places_and_the_rest_follows_by_value():
    shown, reasons = arrange(caps={"brand": 1})
    assert shown == "abeghcdf" and reasons == ["ranked"] * 8


def test_caps_that_leave_too_few_are_filled_up_and_said():
    shown, reasons = arrange(items="bcdef", caps={"brand": 1})
    assert shown == "becdf"
    assert reasons == ["ranked", "ranked", "over_cap", "over_cap", "over_cap"]


def test_a_pinned_product_stands_at_its_place_and_nowhere_else():
    shown, reasons = arrange(pinned=[{"item_id": "a", "place": 3}, {"item_id": "g", "place": 1}])
    assert shown == "gbacdefh"
    assert reasons == ["pinned", "ranked", "pinned", *["ranked"] * 5]


def test_a_pinned_product_need_not_be_a_candidate():
    assert arrange(items="abc", pinned=[{"item_id": "f", "place": 2}])[0] == "afbc"


def test_a_pinned_product_beyond_the_last_item_moves_up():
    shown, reasons = arrange(items="ab", pinned=[{"item_id": "f", "place": 5}])
    assert shown == "abf" and reasons == ["ranked", "ranked", "pinned"]


@pytest.mark.parametrize("product, hidden", [("h", ""), ("nope", ""), ("f", "f")])
def test_products_that_cannot_be_shown_are_skipped(product, hidden):
    """Out of stock, not in the catalogue, excluded by the request."""
    pinned = arrange(items="abcd", hidden=hidden, pinned=[{"item_id": product, "place": 1}])
    promoted = arrange(
        items="abcd", hidden=hidden, promoted=[{"item_id": product, "boost": 99, "within": 1}]
    )
    assert pinned == promoted == ("abcd", ["ranked"] * 4)


def test_a_promoted_product_comes_forward_by_its_boost():
    shown, reasons = arrange(promoted=[{"item_id": "g", "boost": 3.2}])
    # .2 * 3.2 lies between .7 and .6.
    assert shown == "abgcdefh" and reasons.index("promoted") == 2


def test_a_promoted_product_is_brought_to_its_last_place_if_value_does_not():
    assert arrange(promoted=[{"item_id": "g", "within": 4}])[0] == "abcgdefh"
    assert arrange(promoted=[{"item_id": "b", "within": 4}])[0] == "abcdefgh"


def test_promoted_products_share_the_places_that_are_free():
    shown, _ = arrange(
        items="abcdefg",
        pinned=[{"item_id": "h", "place": 1}, {"item_id": "a", "place": 3}],
        promoted=[{"item_id": "f", "within": 3}, {"item_id": "g", "within": 4}],
    )
    # h is out of stock, so value fills its place.
    assert shown == "bfagcde"


def test_rules_come_before_caps_and_count_in_them():
    shown, reasons = arrange(caps={"brand": 1}, pinned=[{"item_id": "c", "place": 1}])
    assert shown == "caeghbdf" and reasons[0] == "pinned"
    shown, _ = arrange(caps={"brand": 1}, pinned=[{"item_id": "d", "place": 2}])
    # b takes brand 1 before d comes; d comes nevertheless, and c waits for the end.
    assert shown == "adeghbcf"


def test_margins_move_the_order():
    assert arrange(margin_power=1.0)[0] == "fabcdegh"


def test_chance_is_the_same_for_the_same_seed_and_fills_its_share():
    seeds = [f"shopper {number}" for number in range(400)]
    shown, reasons = arrange(seeds=seeds, exploration_share=0.3)
    again, _ = arrange(seeds=seeds, exploration_share=0.3)
    assert shown == again and len(set(shown)) > 100
    assert all(sorted(row) == list("abcdefgh") for row in shown)
    share = (reasons[:, :5] == "explored").mean()
    # 2,000 places: the standard deviation of the share is .01.
    assert 0.26 < share < 0.34
    assert (reasons[:, 5:] == "ranked").all()
    # At the first place, chance gives all eight the same: 50 of 400 * .3 / 8 is 15 each.
    lucky = [row[0] for row, why in zip(shown, reasons, strict=True) if why[0] == "explored"]
    assert set(lucky) == set("abcdefgh")


def test_chance_keeps_to_caps_and_to_places_that_are_given():
    seeds = [f"shopper {number}" for number in range(100)]
    shown, reasons = arrange(
        seeds=seeds,
        exploration_share=0.9,
        places=4,
        caps={"brand": 1},
        pinned=[{"item_id": "d", "place": 2}],
    )
    assert all(row[1] == "d" for row in shown) and (reasons[:, 1] == "pinned").all()
    # Only the pinned product may share its brand with another.
    for row in shown:
        brands = [BRANDS["abcdefgh".index(item)] for item in (row[0], row[2], row[3])]
        known = [brand for brand in brands if brand]
        assert len(known) == len(set(known))


def test_answers_may_be_shorter_than_the_arranged_places():
    assert arrange(most=2, caps={"brand": 1})[0][:2] == "ab"


def test_a_cap_on_an_unknown_column_is_refused():
    with pytest.raises(UserError, match=r"caps names the column `colour`.*those are brand"):
        arrange(caps={"colour": 1})


def test_margin_needs_a_margin():
    config = SurfaceConfig(margin_power=1.0)
    with pytest.raises(UserError, match="needs a catalogue with a column `margin`"):
        DisplayOrder(config, ITEMS.drop(columns="margin"), CATEGORIES)


@pytest.mark.parametrize("rules, message", [
    ({"pinned": [{"item_id": "x", "place": 1}]},
     r"display\.pinned names the product 'x', which is not in the catalogue; "),
    ({"promoted": [{"item_id": "h"}]},
     r"display\.promoted names the product 'h', which is out of stock; "),
    ({"surfaces": {"cart": {"promoted": [{"item_id": "h"}]}}},
     r"display\.surfaces\.cart\.promoted names the product 'h'"),
    ({"pinned": [{"item_id": "a", "place": 9}]}, "the place 9, but answers have 5 items"),
    ({"promoted": [{"item_id": "a", "within": 9}]}, "the place 9, but answers have 5 items"),
])  # fmt: skip
def test_products_are_checked_when_the_configuration_is_given(rules, message):
    with pytest.raises(UserError, match=message):
        check_surfaces(DisplayConfig.model_validate(rules), ITEMS, k=5)


def test_products_that_can_be_shown_pass():
    rules = {"pinned": [{"item_id": "a", "place": 1}], "promoted": [{"item_id": "b", "within": 3}]}
    check_surfaces(DisplayConfig.model_validate(rules), ITEMS, k=5)
