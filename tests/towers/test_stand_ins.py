"""Who stands in for a new item, and how much each of them counts."""

import numpy as np
import pytest

from tfrec.towers import stand_ins
from tfrec.towers.stand_ins import StandIns


def on_circle(*degrees: float) -> np.ndarray:
    """Unit vectors, after a row 0 that is no item."""
    angles = np.radians(degrees)
    return np.concatenate([[[0, 0]], np.stack([np.cos(angles), np.sin(angles)], 1)])


def test_worked_by_hand(monkeypatch):
    monkeypatch.setattr(stand_ins, "NEIGHBOURS", 2)
    # Item 4 has cosine 1 with item 2, 1/2 with item 1, and lies opposite item 3.
    found = StandIns.of(on_circle(0, 60, 240, 60), np.array([4]))
    order = np.argsort(found.nearest[0])
    assert found.nearest[0][order].tolist() == [1, 2]
    less = np.exp(-0.5 / 0.1)
    np.testing.assert_allclose(found.weights[0][order], [less / (1 + less), 1 / (1 + less)])
    values = np.array([0.0, 10.0, 20.0, 30.0, 0.0])
    assert found.mean(values)[0] == pytest.approx((10 * less + 20) / (1 + less))
    table = np.stack([values, -values], axis=1)
    np.testing.assert_allclose(found.mean(table), [[found.mean(values)[0], -found.mean(values)[0]]])


def test_new_items_never_stand_in_for_each_other():
    found = StandIns.of(on_circle(0, 1, 1, 90), np.array([2, 3]))
    assert set(found.nearest.ravel()) == {1, 4}
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("new", [[], [1, 2]])
def test_none_where_all_are_new_or_none_is(new):
    found = StandIns.of(on_circle(0, 90), np.array(new, np.int64))
    assert len(found.items) == len(found.nearest) == 0
    assert found.mean(np.ones((3, 4))).shape == (0, 4)


def test_in_pieces_they_are_the_same(monkeypatch):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = StandIns.of(vectors, np.arange(1, 30))
    monkeypatch.setattr(stand_ins, "ROWS", 7)
    pieces = StandIns.of(vectors, np.arange(1, 30))
    values = random.normal(size=(60, 2))
    np.testing.assert_allclose(whole.mean(values), pieces.mean(values), rtol=1e-5)
