"""Parts of an evaluation: by history length, item popularity, new items, new shoppers."""

from typing import TYPE_CHECKING

import numpy as np

from tfrec.config import EvaluationConfig
from tfrec.evaluation.metrics import case_of_target
from tfrec.evaluation.result import SliceResult, accuracy, summarise

if TYPE_CHECKING:
    from tfrec.evaluation.cases import Cases

HISTORY_LENGTHS = {
    "history 0": (0, 0),
    "history 1-2": (1, 2),
    "history 3-5": (3, 5),
    "history 6-20": (6, 20),
    "history 21+": (21, np.inf),
}

HEAD_SHARE = 0.2
"""The share of the catalogue that is the head: the items with most events in training."""


def slices_of(
    cases: "Cases", ranks: np.ndarray, config: EvaluationConfig, *, seed: int
) -> dict[str, SliceResult]:
    """Returns the accuracy on every slice.

    Slices of shoppers (``history …``, ``shoppers new``) keep all targets of their shoppers.
    Slices of items (``items head``, ``items tail``, ``items new``) keep the targets among
    these items: their recall is the share of *those* targets found in the whole catalogue's
    ranking, over the shoppers that have such a target. Tail is all that is not head; new is an
    item with at most ``config.new_item_events`` events in training.

    Args:
        cases: the evaluation's cases.
        ranks: int64 `[num_targets]`.
        config: cutoffs, bootstrap samples, what a new item is.
        seed: seed of the bootstrap.
    """
    lengths = cases.histories.lengths
    by_shopper = {
        name: (lengths >= low) & (lengths <= high) for name, (low, high) in HISTORY_LENGTHS.items()
    }
    by_shopper["shoppers new"] = cases.new_shopper
    target = cases.target_item - 1
    head = head_items(cases.train_events)[target]
    by_target = {
        "items head": head,
        "items tail": ~head,
        "items new": (cases.train_events <= config.new_item_events)[target],
    }
    case = case_of_target(cases.target_offsets)
    parts = {name: mask[case] for name, mask in by_shopper.items()} | by_target
    return {name: _slice(kept, case, ranks, config, seed) for name, kept in parts.items()}


def head_items(train_events: np.ndarray) -> np.ndarray:
    """Returns bool `[num_items]`: the most popular fifth; among equals the lower index first."""
    order = np.argsort(-train_events, kind="stable")
    head = np.zeros(len(train_events), dtype=bool)
    head[order[: round(HEAD_SHARE * len(train_events))]] = True
    return head


def _slice(
    kept: np.ndarray, case: np.ndarray, ranks: np.ndarray, config: EvaluationConfig, seed: int
) -> SliceResult:
    _, counts = np.unique(case[kept], return_counts=True)
    if len(counts) == 0:
        return SliceResult(cases=0)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    metrics, intervals = summarise(
        accuracy(ranks[kept], offsets, config.cutoffs),
        samples=config.bootstrap_samples,
        seed=seed,
    )
    return SliceResult(cases=len(counts), metrics=metrics, intervals=intervals)
