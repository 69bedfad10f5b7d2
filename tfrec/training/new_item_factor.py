"""Fits how much the ranking model raises the value of items that nobody bought yet."""

import numpy as np

from tfrec.models.ranking import RankingModel
from tfrec.progress import write_line
from tfrec.rerank.value import new_item_factors
from tfrec.training.candidate_lists import CandidateLists
from tfrec.training.ranking_validation import (
    NDCG_CUTOFF,
    RankingValidation,
    first_places,
    lists_ndcg,
)

FACTORS = np.geomspace(1.0, 20.0, 50)
"""Those that are tried; 20 times puts new items before nearly all others."""


def fit_new_item_factor(
    model: RankingModel, lists: CandidateLists, price: float
) -> dict[str, float]:
    """Fits `new_item_factor` on held-out lists in which some items are pretended to be new.

    A ranking model is right to prefer items with a past: more is known of them. A shop that shows
    new items only where they are the safer choice never gets to know them, so it may pay for them.
    Of the factors at which the NDCG of the other items is no more than `price` of itself below
    what it is without, the one with the highest NDCG of new items is taken. Where none of the
    others is found, what they lose cannot be told, and the factor is 1.

    Args:
        model: the trained and calibrated model.
        lists: the lists.
        price: share of the NDCG of the other items.

    Returns:
        The factor, and the NDCG of new and other items with it; the factor alone where it cannot
        be fitted.
    """
    model.new_item_factor.assign(1.0)
    if not lists.targets.any():
        return {"new_item_factor": 1.0}
    validate = RankingValidation(model, lists)
    validate.measure()
    new = lists.sales == 0
    gain_of_old = np.where(new, 0.0, validate.gain)
    gain_of_new = np.where(new, validate.gain, 0.0)
    values = np.maximum(validate.values, -1.0)

    def figures(factor: float) -> tuple[float, float]:
        order = first_places(values * new_item_factors(factor, lists.sales))
        old = lists_ndcg(order, gain_of_old, lists.targets - lists.new_targets)
        found = lists_ndcg(order, gain_of_new, lists.new_targets)
        return float(old.mean()) if len(old) else 0.0, float(found.mean()) if len(found) else 0.0

    by_factor = {factor: figures(factor) for factor in FACTORS}
    before = by_factor[FACTORS[0]]
    if before[0] == 0:
        return {"new_item_factor": 1.0}
    allowed = {
        factor: found
        for factor, (old, found) in by_factor.items()
        if old >= (1 - price) * before[0]
    }
    best = max(allowed, key=lambda factor: allowed[factor])
    model.new_item_factor.assign(best)
    after = by_factor[best]
    write_line(
        f"New items are worth {best:.2f} times what they are predicted to be: NDCG@{NDCG_CUTOFF} "
        f"of items pretended to be new {before[1]:.4f} -> {after[1]:.4f}, of the others "
        f"{before[0]:.4f} -> {after[0]:.4f}"
    )
    return {
        "new_item_factor": float(best),
        f"new_items_ndcg@{NDCG_CUTOFF}": after[1],
        f"other_items_ndcg@{NDCG_CUTOFF}": after[0],
    }
