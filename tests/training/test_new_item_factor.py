"""How much more new items are worth, worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tfrec.training.candidate_lists import CandidateLists
from tfrec.training.new_item_factor import fit_new_item_factor

VALUES = np.array([[0.4, 0.3, 0.1], [0.4, 0.1, 0.0]], np.float32)
GAIN = np.array([[1, 0, 0], [0, 1, 0]], np.float32)


def two_lists():
    """The first shopper chose the first item; the second one the second, which is new."""
    nothing = np.zeros(VALUES.shape, np.float32)
    return CandidateLists(
        items=np.array([[1, 2, 3], [2, 3, 0]], np.int32),
        shopper=np.arange(2),
        excluding=np.zeros(2, bool),
        features=VALUES[..., None],
        present=np.array([[1, 1, 1], [1, 1, 0]], np.float32),
        retrieved=nothing,
        labels={"purchase": GAIN},
        targets=np.array([1, 1]),
        sales=np.array([[9, 9, 0], [9, 0, 0]], np.float32),
        new_targets=np.array([0, 1]),
    )


class Model:
    """A model whose value of a candidate is its only feature."""

    def __init__(self):
        self.events = self.target_events = ["purchase"]
        self.return_event = None
        self.new_item_factor = tf.Variable(7.0)

    def __call__(self, features):
        return {"purchase": features[..., 0]}

    def probabilities(self, logits):
        return logits

    def scores(self, probabilities):
        return probabilities["purchase"]


def fitted(price, lists=None):
    model = Model()
    figures = fit_new_item_factor(model, two_lists() if lists is None else lists, price)
    assert figures["new_item_factor"] == pytest.approx(float(model.new_item_factor))
    return float(model.new_item_factor)


def test_new_items_are_raised_as_far_as_the_price_allows():
    # From a factor of 4 on both new items stand before the one that the first shopper chose.
    assert fitted(0.1) < fitted(0.5)
    assert 0.1 * fitted(0.1) <= 0.4 < 0.1 * fitted(0.5)
    # What costs nothing is done without a price, and no more than finds anything.
    assert fitted(0.0) == fitted(0.1)


def test_what_is_hardly_sold_is_raised_less():
    # The new item of the first list was sold once, so its value rises by the root of the factor.
    sales = np.array([[9, 9, 1], [9, 0, 0]], np.float32)
    assert 0.1 * fitted(0.0, replace(two_lists(), sales=sales)) > 0.4


@pytest.mark.parametrize("targets, unsold", [([0, 1], [0, 1]), ([1, 1], [0, 0]), ([0, 0], [0, 0])])
def test_without_something_to_weigh_nothing_changes(targets, unsold):
    lists = replace(two_lists(), targets=np.array(targets), new_targets=np.array(unsold))
    assert fitted(0.9, lists) == 1.0
