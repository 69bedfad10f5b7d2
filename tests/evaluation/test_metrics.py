from math import log2

import numpy as np
import pytest

from tfrec.evaluation.metrics import NEVER_SHOWN, list_ranks, mrr, ndcg, recall, target_ranks


def ranks_of(scores, *targets):
    """Ranks of the targets of one case each; scores are listed by item from index 0."""
    offsets = np.cumsum([0, *map(len, targets)])
    flat = np.array([t for part in targets for t in part], dtype=np.int64)
    return target_ranks(np.asarray(scores, dtype=np.float32), offsets, flat).tolist()


def test_ranks_without_ties_are_positions():
    scores = [[0.1, 0.5, 0.3, 0.9], [4, 3, 2, 1]]
    assert ranks_of(scores, [3, 0], [1]) == [1, 4, 2]


def test_a_tied_target_stands_behind_every_other_item_of_its_score():
    assert ranks_of([[7, 7, 7, 1]], [0]) == [3]
    assert ranks_of([[7, 7, 7, 1]], [1]) == [3]
    assert ranks_of([[9, 7, 7, 7]], [2]) == [4]


def test_tied_targets_of_one_case_share_the_places_behind_the_others():
    # Three items at 5, two of them targets: the non-target is first, they are 2nd and 3rd.
    assert sorted(ranks_of([[5, 5, 5, 1]], [0, 2])) == [2, 3]
    # A better target does not count against a worse one's tie, it only takes its place.
    assert ranks_of([[9, 5, 5, 1]], [0, 1]) == [1, 3]


def test_ranks_in_a_list_are_its_places():
    lists = np.array([[3, 1, 2], [2, 0, 0]], dtype=np.int32)
    ranks = list_ranks(lists, np.array([0, 2, 4]), np.array([2, 3, 2, 1]))
    assert ranks.tolist() == [3, 1, 1, NEVER_SHOWN]


def test_target_scored_minus_infinity_is_never_shown():
    assert ranks_of([[1.0, -np.inf, 2.0]], [1, 0]) == [NEVER_SHOWN, 2]


def test_ranks_are_those_of_a_plain_sort_on_random_scores_with_ties():
    generator = np.random.default_rng(0)
    for _ in range(50):
        cases, items = generator.integers(1, 6), generator.integers(1, 30)
        scores = generator.integers(0, 6, (cases, items)).astype(np.float32)
        targets = [
            np.sort(generator.choice(items, generator.integers(1, items + 1), replace=False))
            for _ in range(cases)
        ]
        offsets = np.cumsum([0, *map(len, targets)])
        got = target_ranks(scores, offsets, np.concatenate(targets))
        for i, wanted in enumerate(targets):
            # The definition: by score, then non-targets before targets.
            order = sorted(range(items), key=lambda j: (-scores[i, j], j in set(wanted)))
            expected = sorted(order.index(j) + 1 for j in wanted)
            assert sorted(got[offsets[i] : offsets[i + 1]].tolist()) == expected


def test_targets_beyond_one_chunk_are_ranked_alike(monkeypatch):
    generator = np.random.default_rng(1)
    scores = generator.random((7, 11), dtype=np.float32)
    offsets, targets = np.arange(0, 15, 2), np.tile([3, 8], 7)
    whole = target_ranks(scores, offsets, targets)
    monkeypatch.setattr("tfrec.evaluation.metrics._CELLS_AT_ONCE", 1)
    assert target_ranks(scores, offsets, targets).tolist() == whole.tolist()


def test_no_targets_have_no_ranks():
    assert ranks_of(np.zeros((2, 3)), [], []) == []


# One case with targets at ranks 1, 3 and 12; one with a single target at rank 2; one missed.
RANKS = np.array([1, 3, 12, 2, NEVER_SHOWN])
OFFSETS = np.array([0, 3, 4, 5])


def test_recall_is_hits_over_targets():
    assert recall(RANKS, OFFSETS, 1).tolist() == pytest.approx([1 / 3, 0, 0])
    assert recall(RANKS, OFFSETS, 5).tolist() == pytest.approx([2 / 3, 1, 0])
    assert recall(RANKS, OFFSETS, 20).tolist() == pytest.approx([1, 1, 0])


def test_ndcg_divides_by_the_ideal_of_as_many_targets_as_fit():
    at_1 = ndcg(RANKS, OFFSETS, 1)
    assert at_1.tolist() == pytest.approx([1, 0, 0])
    at_2 = ndcg(RANKS, OFFSETS, 2)
    assert at_2.tolist() == pytest.approx([1 / (1 + 1 / log2(3)), 1 / log2(3), 0])
    ideal = 1 + 1 / log2(3) + 1 / 2
    at_5 = ndcg(RANKS, OFFSETS, 5)
    assert at_5.tolist() == pytest.approx([(1 + 1 / 2) / ideal, 1 / log2(3), 0])
    at_20 = ndcg(RANKS, OFFSETS, 20)
    assert at_20[0] == pytest.approx((1 + 1 / 2 + 1 / log2(13)) / ideal)


def test_mrr_looks_at_the_first_hit_only():
    assert mrr(RANKS, OFFSETS, 1).tolist() == pytest.approx([1, 0, 0])
    assert mrr(np.array([4, 3, 12]), np.array([0, 3]), 5).tolist() == pytest.approx([1 / 3])
    assert mrr(np.array([4, 3, 12]), np.array([0, 3]), 2).tolist() == [0]


@pytest.mark.parametrize("metric", [recall, ndcg, mrr])
def test_no_cases_have_no_values(metric):
    assert metric(np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64), 5).shape == (0,)
