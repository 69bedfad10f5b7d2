"""The items that are described most alike, found once and kept."""

import numpy as np
import pytest

from tfrec.models import alike_items
from tfrec.models.alike_items import ALIKE, AlikeItems


def texts(count, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count + 1, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0.0
    return vectors


@pytest.fixture
def compared(monkeypatch):
    """Which items were compared with all, call by call."""
    calls = []
    whole = alike_items.nearest_described

    def counted(vectors, items, known, count):
        calls.append(items.tolist())
        return whole(vectors, items, known, count)

    monkeypatch.setattr(alike_items, "nearest_described", counted)
    return calls


def test_what_was_found_is_not_looked_for_again(compared, tmp_path):
    vectors = texts(40)
    AlikeItems.of(vectors, vectors).save(tmp_path / "alike.npz")
    known = AlikeItems.load(tmp_path / "alike.npz")
    again = AlikeItems.of(vectors, vectors, known)
    assert compared == [list(range(1, 41)), []]
    assert (again.matrix() != known.matrix()).nnz == 0
    np.testing.assert_allclose(again.matrix().sum(axis=1).A1[1:], 1.0, rtol=1e-5)
    assert not again.matrix().diagonal().any()


def test_new_and_changed_items_are_compared_with_all(compared):
    vectors = texts(42)
    known = AlikeItems.of(vectors[:41], vectors[:41])
    vectors[7] = -vectors[7]
    near_seven = np.flatnonzero((known.nearest == 7).any(axis=1))
    found = AlikeItems.of(vectors, vectors, known)
    assert compared[1] == sorted({7, 41, 42, *near_seven.tolist()})
    whole = AlikeItems.of(vectors, vectors)
    for item in compared[1]:
        assert set(found.nearest[item]) == set(whole.nearest[item])
    same = np.setdiff1d(np.arange(1, 41), compared[1])
    np.testing.assert_array_equal(found.nearest[same], known.nearest[same])


@pytest.mark.parametrize("count", [0, 1, 2, ALIKE, ALIKE + 1, ALIKE + 2])
def test_a_small_catalogue_is_opened_again(compared, count):
    vectors = texts(count)
    known = AlikeItems.of(vectors, vectors)
    again = AlikeItems.of(vectors, vectors, known)
    assert compared[1] == []
    np.testing.assert_array_equal(again.nearest, known.nearest)
    np.testing.assert_array_equal(again.weights, known.weights)


def test_a_smaller_catalogue_and_one_that_outgrows_the_count(compared):
    vectors = texts(40)
    known = AlikeItems.of(vectors, vectors)
    fewer = AlikeItems.of(vectors[:21], vectors[:21], known)
    assert fewer.nearest.shape == (21, ALIKE) and fewer.nearest.max() <= 20
    few = AlikeItems.of(vectors[:6], vectors[:6])
    assert few.nearest.shape == (6, 4)
    assert AlikeItems.of(vectors, vectors, few).nearest.shape == (41, ALIKE)
    assert compared[-1] == list(range(1, 41))
