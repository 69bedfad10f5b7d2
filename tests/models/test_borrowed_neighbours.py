"""Items that nobody had with another take the neighbours of those that are described alike."""

import numpy as np
import pytest

from tfrec.data.item_links import ItemLinks
from tfrec.models.borrowed_neighbours import with_borrowed
from tfrec.towers.stand_ins import StandIns


def links() -> ItemLinks:
    """Items 1 and 2 are neighbours, and 2 and 3; nobody had items 4 and 5."""
    return ItemLinks(
        np.array([[0, 0], [2, 0], [1, 3], [2, 0], [0, 0], [0, 0]], np.int32),
        np.array([[0, 0], [0.5, 0], [0.5, 0.2], [0.2, 0], [0, 0], [0, 0]], np.float32),
    )


def test_worked_by_hand():
    # Item 4 reads as items 1 and 3 do, and item 2 is far; item 5 has no text.
    text = np.array([[0, 0], [1, 0], [-1, 0], [1, 0], [1, 0], [0, 0]], np.float32)
    neighbours, similarity = with_borrowed(links(), StandIns.of(text, np.array([4])))
    np.testing.assert_array_equal(neighbours[:4], links().items[:4])
    np.testing.assert_array_equal(similarity[:4], links().weights[:4])
    # Halves: item 2 as the neighbour of both, item 1 by itself, item 3 by itself (too little).
    assert neighbours[4].tolist() == [2, 1]
    assert similarity[4].tolist() == pytest.approx([0.5 * 0.5 + 0.5 * 0.2, 0.5 * 0.5], rel=1e-4)
    assert not neighbours[5].any() and not similarity[5].any()


def test_what_is_given_stays_as_it_was():
    given = links()
    with_borrowed(given, StandIns.of(np.eye(6, dtype=np.float32), np.array([4, 5])))
    np.testing.assert_array_equal(given.items, links().items)
