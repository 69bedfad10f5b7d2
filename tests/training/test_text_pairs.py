import numpy as np
import pytest

from tests.surfaces.logs import histories_of
from tfrec.training.text_pairs import ItemPairs, consecutive_pairs
from tfrec.training.text_quality import neighbour_overlap, pair_recall

PURCHASE, RETURN = 1, 2
# Shopper 0 buys 1, 2, returns 2, and buys 2 and 3; shopper 1 buys 3 and 1.
LOG = [
    (0, 1, PURCHASE, 10),
    (0, 2, PURCHASE, 20),
    (0, 2, RETURN, 25),
    (0, 2, PURCHASE, 30),
    (0, 3, PURCHASE, 40),
    (1, 3, PURCHASE, 10),
    (1, 1, PURCHASE, 10),
]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (1, [(1, 2, 0), (2, 3, 0), (3, 1, 1)]),
        (2, [(1, 2, 0), (2, 3, 0), (3, 1, 1), (1, 2, 0), (2, 3, 0)]),
        (3, [(1, 2, 0), (2, 3, 0), (3, 1, 1), (1, 2, 0), (2, 3, 0), (1, 3, 0)]),
    ],
)
def test_pairs_are_of_one_shopper_and_of_two_items(window, expected):
    pairs, owner = consecutive_pairs(histories_of(LOG), [PURCHASE], window)
    assert [(*pair, who) for pair, who in zip(pairs.tolist(), owner, strict=True)] == expected


def test_pairs_of_a_shopper_are_all_held_out_or_none(planted):
    histories = planted.histories("train")
    events = planted.target_event_indices
    pairs = ItemPairs.of(histories, events, window=2, holdout=0.25, seed=5)
    everything, owner = consecutive_pairs(histories, events, 2)
    chosen = np.random.default_rng(5).permutation(len(histories))[: round(0.25 * len(histories))]
    assert sorted(map(tuple, pairs.held_out)) == sorted(
        map(tuple, everything[np.isin(owner, chosen)])
    )
    assert len(pairs.train) + len(pairs.held_out) == len(everything)
    again = ItemPairs.of(histories, events, window=2, holdout=0.25, seed=5)
    np.testing.assert_array_equal(again.train, pairs.train)


def test_pairs_know_nothing_of_validation_and_test(planted):
    """Every pair stands in a history of the training split, whose events end before both."""
    train = planted.histories("train")
    pairs = ItemPairs.of(train, planted.target_event_indices, window=1, holdout=0.1, seed=0)
    followed = set(zip(train.item[:-1].tolist(), train.item[1:].tolist(), strict=True))
    bought = np.isin(train.event, planted.target_event_indices)
    item = train.item[bought]
    followed |= set(zip(item[:-1].tolist(), item[1:].tolist(), strict=True))
    assert {tuple(pair) for pair in pairs.train.tolist()} <= followed
    first_valid = planted.histories("valid").target_timestamp.min()
    assert train.timestamp.max() < first_valid


def test_pair_recall_by_hand():
    angles = np.radians([0.0, 10.0, 30.0, 90.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    pairs = np.array([[1, 2], [1, 3], [4, 3], [4, 1]])
    # Item 1 is nearest to 2, then 3; item 4 to 3, then 2, then 1.
    assert pair_recall(vectors, pairs, 1) == 2 / 4
    assert pair_recall(vectors, pairs, 2) == 3 / 4
    assert pair_recall(vectors, pairs, 3) == 1.0


def test_equal_vectors_find_nothing():
    vectors = np.ones((30, 1), np.float32)
    assert pair_recall(vectors, np.array([[1, 2], [7, 3]]), 20) == 0.0


def test_neighbour_overlap_by_hand():
    line = np.radians(np.array([0.0, 10.0, 25.0, 45.0]))
    vectors = np.stack([np.cos(line), np.sin(line)], axis=1)
    assert neighbour_overlap(vectors, vectors, 2) == 1.0
    # Nearest one of each: 1, 0, 1, 2 and, with the second and third at one another's places,
    # 2, 2, 0, 1.
    other = vectors[[0, 2, 1, 3]]
    assert neighbour_overlap(vectors, other, 1) == 0 / 4
    assert neighbour_overlap(vectors, other, 3) == 1.0
