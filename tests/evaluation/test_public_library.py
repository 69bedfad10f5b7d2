"""Recall, NDCG and MRR against ir-measures, on random runs."""

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, nDCG

from tfrec.evaluation.metrics import NEVER_SHOWN, mrr, ndcg, recall, target_ranks

CUTOFFS = (1, 5, 10, 40)
MEASURES = [measure @ k for k in CUTOFFS for measure in (R, nDCG, RR)]


def library_values(scores, targets):
    """Means over cases: {str(measure): value}."""
    run, truth = [], []
    for case, row in enumerate(scores):
        for item, score in enumerate(row):
            if np.isfinite(score):
                run.append(ir_measures.ScoredDoc(f"q{case}", f"d{item:03}", float(score)))
        truth += [ir_measures.Qrel(f"q{case}", f"d{item:03}", 1) for item in targets[case]]
    return {str(m): v for m, v in ir_measures.calc_aggregate(MEASURES, truth, run).items()}


def our_values(scores, targets):
    offsets = np.cumsum([0, *map(len, targets)])
    ranks = target_ranks(scores, offsets, np.concatenate(targets))
    named = {"R": recall, "nDCG": ndcg, "RR": mrr}
    return {
        f"{name}@{k}": metric(ranks, offsets, k).mean()
        for name, metric in named.items()
        for k in CUTOFFS
    }


def random_case(seed, items=30, cases=25):
    generator = np.random.default_rng(seed)
    scores = generator.permuted(np.tile(np.arange(items), (cases, 1)), axis=1).astype(np.float32)
    targets = [
        generator.choice(items, generator.integers(1, 9), replace=False) for _ in range(cases)
    ]
    return generator, scores, targets


@pytest.mark.parametrize("seed", range(5))
def test_equal_on_random_runs(seed):
    _, scores, targets = random_case(seed)
    assert our_values(scores, targets) == pytest.approx(library_values(scores, targets), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_equal_where_items_are_never_shown(seed):
    generator, scores, targets = random_case(seed)
    scores[generator.random(scores.shape) < 0.4] = -np.inf
    scores[:, 0] = 99  # the library leaves out a case without a run
    assert our_values(scores, targets) == pytest.approx(library_values(scores, targets), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_ties_are_the_worst_of_what_the_library_says_for_any_order(seed):
    """The library breaks ties by document id; ours equals its order with targets last."""
    generator, scores, targets = random_case(seed)
    tied = np.floor(scores / 7)
    ours = our_values(tied, targets)
    worst_order = tied.copy()
    for case, wanted in enumerate(targets):
        worst_order[case, wanted] -= 0.5
    assert ours == pytest.approx(library_values(worst_order, targets), abs=1e-9)
    for _ in range(5):
        any_order = tied + 0.4 * generator.random(tied.shape)
        library = library_values(any_order, targets)
        assert all(ours[name] <= library[name] + 1e-9 for name in ours)
    assert ours["R@5"] < library_values(tied + 0.0, targets)["R@5"]


def test_never_shown_is_beyond_every_cutoff():
    assert recall(np.array([NEVER_SHOWN]), np.array([0, 1]), 10**9).tolist() == [0]
