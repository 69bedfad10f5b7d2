"""A described product stands where the catalogue would put it."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.towers import placement
from tfrec.towers.placement import Placement
from tfrec.towers.stand_ins import StandIns


def on_circle(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_worked_by_hand(monkeypatch):
    monkeypatch.setattr(placement, "NEIGHBOURS", 2)
    offsets = np.float32([[9, 9], [1, 0], [0, 1], [9, 9], [5, 5]])
    learned = np.array([False, True, True, False, True])
    placed = Placement(on_circle(0, 60, -60, 0, 180), offsets, learned)
    # Items 1 and 2 are equally near; item 3, which is nearest, has learned nothing.
    found = placed.offsets(tf.constant(on_circle(0)))
    np.testing.assert_allclose(found, [[0.5, 0.5]], atol=1e-6)


@pytest.mark.parametrize("known", [1, 3, 40])
def test_it_is_what_stand_ins_do(known):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(known + 3, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    offsets = random.normal(size=(known + 3, 6)).astype(np.float32)
    new = np.array([known + 1, known + 2])
    learned = ~np.isin(np.arange(known + 3), [0, *new])
    found = Placement(vectors, offsets, learned).offsets(tf.constant(vectors[new]))
    expected = StandIns.of(vectors, new).mean(offsets)
    np.testing.assert_allclose(found, expected, atol=1e-5)
