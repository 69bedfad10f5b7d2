"""The items that speak for a candidate, worked by hand over a catalogue of four."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.data.item_links import ItemLinks
from tfrec.data.log_statistics import ITEM_STATISTICS, LogStatistics
from tfrec.models.alike_items import AlikeItems
from tfrec.models.linked_items import LINKS, LinkedItems

# Items 1 and 3 read alike, item 2 is opposite to both, item 4 has no text.
TEXT = np.array([[0, 0], [1, 0], [-1, 0], [1, 0], [0, 0]], np.float32)
NOTHING = ItemLinks(np.zeros((5, 2), np.int32), np.zeros((5, 2), np.float32))


def statistics(cosine: float) -> LogStatistics:
    """Items 1 and 2 were had together, and 1 after 2; nobody had items 3 and 4."""
    together = ItemLinks(*(values.copy() for values in NOTHING))
    together.items[1:3, 0], together.weights[1:3, 0] = (2, 1), cosine
    before = ItemLinks(*(values.copy() for values in NOTHING))
    before.items[1, 0], before.weights[1, 0] = 2, 3.0
    counts = np.zeros((5, len(ITEM_STATISTICS)), np.float32)
    counts[1:3, ITEM_STATISTICS.index("log_count")] = np.log1p(10.0)
    return LogStatistics(together, before, counts, np.expm1(counts[:, 0]))


def spoken_for(linked: LinkedItems, link: str, had: int) -> list[float]:
    """What each of the items 1 to 4 has of a history of one item."""
    laid_out = tf.one_hot([had], 5)[..., tf.newaxis]
    return linked(link, laid_out, tf.constant([[1, 2, 3, 4]], tf.int64)).numpy()[0, :, 0].tolist()


def test_items_without_a_past_borrow_where_their_text_says_something():
    linked = LinkedItems(statistics(0.5), TEXT, AlikeItems.of(TEXT, TEXT))
    # Item 3 is like 1, whose neighbour and predecessor is 2; hardly like 4, and still less like 2.
    near = 1 / (1 + np.exp(-10.0) + np.exp(-20.0))
    assert spoken_for(linked, "neighbour", 2) == pytest.approx([0.5, 0.0, 0.5 * near, 0.0])
    assert spoken_for(linked, "follower", 2) == pytest.approx([3.0, 0.0, 3.0 * near, 0.0])


def test_other_statistics_are_taken_over_whole():
    linked, expected = (
        LinkedItems(statistics(0.5), TEXT, AlikeItems.of(TEXT, TEXT)),
        LinkedItems(statistics(0.9), TEXT, AlikeItems.of(TEXT, TEXT)),
    )
    before = spoken_for(linked, "alike", 2)
    linked.fill(statistics(0.9), TEXT)
    assert spoken_for(linked, "alike", 2) != before
    for link in LINKS:
        for had in range(1, 5):
            assert spoken_for(linked, link, had) == spoken_for(expected, link, had)
