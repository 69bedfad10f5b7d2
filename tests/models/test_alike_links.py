"""Co-occurrence by way of items that are described alike, worked by hand."""

import numpy as np
import pytest

from tfrec.data.item_links import ItemLinks
from tfrec.models.alike_items import AlikeItems
from tfrec.models.alike_links import alike_links

NEIGHBOURS = ItemLinks(
    np.array([[0], [2], [1], [0], [0]], np.int32), np.array([[0], [0.8], [0.8], [0], [0]], "f4")
)


SALES = np.array([0, 10, 30, 0, 0], np.float32)


def linked(links, item):
    pairs = zip(*(values[item].tolist() for values in links), strict=True)
    return {other: pytest.approx(weight, rel=1e-5) for other, weight in pairs if other}


def test_both_directions():
    # Item 3 reads as item 1 does, item 2 is opposite to both; item 4 has no text.
    text = np.array([[0, 0], [1, 0], [-1, 0], [1, 0], [0, 0]], np.float32)
    alike, of_alike = alike_links(NEIGHBOURS, AlikeItems.of(text, text).matrix(), SALES)
    near, far = np.array([1, np.exp(-20.0)]) / (1 + np.exp(-20.0))
    # Ten sales count for half, thirty for three quarters.
    both = 0.8 * np.sqrt(0.5 * 0.75)
    # Whoever had 2 had what is like 3, and whoever had 1 what goes a little with what is like 3.
    assert linked(alike, 3) == {2: both * near, 1: both * far}
    # Whoever had 3 had what is like the neighbour of 2.
    assert linked(of_alike, 2) == {3: both * near}
    # Item 1 is no evidence for itself, though its neighbour reads a little like it.
    assert linked(alike, 1) == {}
    assert linked(of_alike, 1) == {3: both * far}
    assert linked(alike, 4) == linked(of_alike, 4) == {}
    assert not alike.items[0].any() and not of_alike.items[0].any()


def test_without_texts_or_neighbours_there_are_no_links():
    nothing = np.zeros((5, 2), np.float32)
    for table in alike_links(NEIGHBOURS, AlikeItems.of(nothing, nothing).matrix(), SALES):
        assert not table.items.any() and not table.weights.any()
    lonely = ItemLinks(*(np.zeros_like(values) for values in NEIGHBOURS))
    two = np.eye(5, 2, k=-1, dtype=np.float32)
    for table in alike_links(lonely, AlikeItems.of(two, two).matrix(), SALES):
        assert not table.items.any()
    one = np.eye(5, 2, k=-1, dtype=np.float32)
    one[2:] = 0
    assert not alike_links(NEIGHBOURS, AlikeItems.of(one, one).matrix(), SALES)[0].items.any()
