"""Co-occurrence, worked by hand and compared with plain numpy."""

import numpy as np
import pytest
from scipy import sparse

from tests.evaluation.small_shop import RETURN, make_histories
from tfrec.data.cooccurrence import (
    BLOCK,
    common_shoppers,
    history_matrix,
    nearest,
    neighbour_table,
)


def test_weights_of_a_history_fall_by_the_decay_and_add_up():
    histories = make_histories([[1, 2, 1], [], [3]])
    matrix = history_matrix(histories, 4, decay=0.5).toarray()
    assert matrix.tolist() == [[0, 1 / 4 + 1, 1 / 2, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


def test_other_events_are_no_step_of_a_history():
    histories = make_histories([[1, (2, RETURN), 3, (1, RETURN)]])
    matrix = history_matrix(histories, 4, decay=0.5, events=[1]).toarray()
    assert matrix.tolist() == [[0, 1 / 2, 0, 1]]


def test_an_old_event_fades_without_overflow():
    histories = make_histories([[1] + [2] * 5000])
    matrix = history_matrix(histories, 3, decay=0.5).toarray()
    assert matrix[0].tolist() == pytest.approx([0, 0, 2])


def test_neighbours_are_those_of_a_plain_sort():
    generator = np.random.default_rng(0)
    chosen = sparse.csr_matrix(generator.random((40, 25)) < 0.3)
    common = common_shoppers(chosen)
    full = nearest(common, neighbours=None, shrinkage=1.0).toarray()
    cut = nearest(common, neighbours=5, shrinkage=1.0).toarray()
    for item in range(25):
        others = [j for j in range(25) if j != item and full[item, j] > 0]
        best = sorted(others, key=lambda j: (-full[item, j], j))[:5]
        assert np.flatnonzero(cut[item]).tolist() == sorted([item, *best])
        assert cut[item, best].tolist() == full[item, best].tolist()


def test_a_shopper_of_many_items_links_less():
    # The first shopper has two items, the second one: weights 1/2 and 1, events' mean 2/3.
    chosen = sparse.csr_matrix([[1, 1], [3, 0]])
    common = common_shoppers(chosen, length_exponent=1.0).toarray()
    assert common.tolist() == [
        pytest.approx([(1 / 2 + 1) * 3 / 2, 1 / 2 * 3 / 2]),
        pytest.approx([1 / 2 * 3 / 2, 1 / 2 * 3 / 2]),
    ]
    assert common_shoppers(chosen).toarray().tolist() == [[2, 1], [1, 1]]


def test_a_table_holds_the_nearest_others_and_0_where_there_are_fewer():
    # Column 0 is padding. Item 1: shoppers A, B, C; 2: A, B; 3: C; 4: D alone.
    chosen = sparse.csr_matrix([[0, 2, 1, 0, 0], [0, 1, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 0, 1]])
    items, cosines = neighbour_table(chosen, 3)
    assert (items.dtype, cosines.dtype) == (np.int32, np.float32)
    expected = {1: 1 / np.sqrt(3), 2: 2 / np.sqrt(6)}
    assert set(items[1].tolist()) == {2, 3, 0}
    assert cosines[1][items[1] == 2] == pytest.approx(expected[2])
    assert cosines[1][items[1] == 3] == pytest.approx(expected[1])
    assert not cosines[items == 0].any()
    assert not items[4].any() and not items[0].any()


def test_of_equally_near_items_a_table_keeps_the_first():
    chosen = sparse.csr_matrix([[0, 1, 1, 1, 1]])
    items, _ = neighbour_table(chosen, 2)
    assert np.sort(items, axis=1).tolist() == [[0, 0], [2, 3], [1, 3], [1, 2], [1, 2]]


def test_a_table_over_several_blocks_is_that_of_numpy_and_of_the_whole_matrix():
    random = np.random.default_rng(0)
    size = BLOCK + 476
    had = np.zeros((150, size + 1))
    for shopper in range(150):
        had[shopper, random.choice(size, 20, replace=False) + 1] = 1
    items, similarity = neighbour_table(sparse.csr_matrix(had), 50)
    norms = np.sqrt(had.sum(axis=0))
    cosine = had.T @ had / np.maximum(np.outer(norms, norms), 1e-9)
    np.fill_diagonal(cosine, 0)
    whole = nearest(common_shoppers(sparse.csr_matrix(had)), neighbours=50, shrinkage=0.0)
    for item in (1, 700, BLOCK, BLOCK + 1, size):
        kept = np.sort(similarity[item])[::-1]
        np.testing.assert_allclose(kept, np.sort(cosine[item])[::-1][:50], atol=1e-6)
        for other, value in zip(items[item], similarity[item], strict=True):
            assert value == pytest.approx(cosine[item, other] if other else 0, abs=1e-6)
        others = whole[[item]].toarray()[0]
        others[item] = 0
        assert set(np.flatnonzero(others)) == set(items[item][items[item] > 0])
