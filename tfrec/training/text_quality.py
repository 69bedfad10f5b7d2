"""How good text vectors are: what their nearest neighbours are worth to shoppers."""

import numpy as np

from tfrec.config import EvaluationConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.evaluation.baselines import TextKNN
from tfrec.evaluation.cases import Cases, NoCasesError
from tfrec.evaluation.protocol import evaluate

NEIGHBOURS = 20
SHOPPERS = 4000
_ROWS = 512


def text_recall(
    dataset: PreparedDataset,
    vectors: np.ndarray,
    config: EvaluationConfig,
    split: str = "valid",
    seed: int = 0,
) -> dict[str, float]:
    """Returns how well the neighbours of a shopper's last items say what comes next.

    Args:
        dataset: the prepared data set.
        vectors: float `[num_items, dimension]`, text vectors.
        config: how repeats count.
        split: ``valid`` or ``test``.
        seed: of the sample of shoppers.

    Returns:
        ``text_recall@20`` and ``text_ndcg@10`` of `TextKNN`; nothing where no shopper of the split
        has a target.
    """
    count = len(dataset.histories(split))
    sample = np.sort(np.random.default_rng(seed).permutation(count)[:SHOPPERS])
    measured = config.model_copy(update={"cutoffs": [10, NEIGHBOURS], "bootstrap_samples": 1})
    try:
        cases = Cases.of(dataset, split, measured, subset=sample)
    except NoCasesError:
        return {}
    result = evaluate(TextKNN.fit(dataset, vectors), dataset, split, measured, cases=cases)
    recall, ndcg = result.metrics[f"recall@{NEIGHBOURS}"], result.metrics["ndcg@10"]
    return {f"text_recall@{NEIGHBOURS}": recall, "text_ndcg@10": ndcg}


def pair_recall(vectors: np.ndarray, pairs: np.ndarray, neighbours: int = NEIGHBOURS) -> float:
    """Returns the share of pairs whose second item is among the first one's nearest neighbours.

    An item is no neighbour of itself. Of items that are equally near, all count as nearer than
    the one sought, so that equal vectors for all score nothing.

    Args:
        vectors: float32 `[num_items, dimension]`, unit vectors; row ``r`` is item ``r + 1``.
        pairs: int `[num_pairs, 2]`, item indices from 1.
        neighbours: how many there are.
    """
    found = 0
    for start in range(0, len(pairs), _ROWS):
        left, right = pairs[start : start + _ROWS].T - 1
        cosines = vectors[left] @ vectors.T
        rows = np.arange(len(left))
        cosines[rows, left] = -np.inf
        nearer = np.sum(cosines >= cosines[rows, right][:, np.newaxis], axis=1) - 1
        found += int(np.sum(nearer < neighbours))
    return found / max(len(pairs), 1)


def neighbour_overlap(vectors: np.ndarray, others: np.ndarray, neighbours: int = 10) -> float:
    """Returns the mean share of nearest neighbours that two sets of vectors have in common.

    Args:
        vectors: float32 `[num_texts, dimension]`, unit vectors.
        others: float32 `[num_texts, other_dimension]`, unit vectors of the same texts.
        neighbours: how many of each text are compared.
    """
    neighbours = min(neighbours, len(vectors) - 1)
    if neighbours < 1:
        return 1.0
    common = 0
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, start + _ROWS)
        first = _nearest(vectors, rows, neighbours)
        second = _nearest(others, rows, neighbours)
        common += int(np.sum(first[:, :, np.newaxis] == second[:, np.newaxis, :]))
    return common / (len(vectors) * neighbours)


def _nearest(vectors: np.ndarray, rows: slice, neighbours: int) -> np.ndarray:
    cosines = vectors[rows] @ vectors.T
    own = np.arange(len(vectors))[rows]
    cosines[np.arange(len(own)), own] = -np.inf
    return np.argpartition(-cosines, neighbours - 1, axis=1)[:, :neighbours]
