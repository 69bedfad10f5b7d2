"""Tables from every item to a few others, worked by hand."""

import numpy as np
import pytest
from scipy import sparse

from tfrec.data.item_links import ItemLinks


def matrix() -> sparse.csr_matrix:
    return sparse.csr_matrix(np.array([[0, 0, 0], [3, 1, 2], [2, 2, 2]], np.float32))


def test_the_strongest_of_every_row_are_kept_and_ties_go_to_the_lower():
    links = ItemLinks.strongest(matrix(), 2)
    kept = [dict(zip(*(values[row].tolist() for values in links), strict=True)) for row in range(3)]
    assert kept == [{0: 0.0}, {0: 3.0, 2: 2.0}, {0: 2.0, 1: 2.0}]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_tables_have_the_width_that_is_asked_for(count):
    links = ItemLinks.strongest(matrix(), count)
    assert links.items.shape == links.weights.shape == (3, count)


def test_a_table_is_a_matrix_without_column_0():
    given = np.array([[0, 0, 0], [0, 0, 2], [0, 4, 0]], np.float32)
    links = ItemLinks.strongest(sparse.csr_matrix(given), 3)
    np.testing.assert_array_equal(links.matrix().toarray(), given)


def test_items_at_the_end_have_no_links():
    links = ItemLinks.strongest(matrix(), 2).with_items(2)
    assert links.items.shape == links.weights.shape == (5, 2)
    assert not links.items[3:].any() and not links.weights[3:].any()
