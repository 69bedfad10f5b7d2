"""Weighs what makes products alike by what shoppers chose one after the other."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.data.cooccurrence import history_matrix, neighbour_table
from tfrec.data.dataset import PreparedDataset
from tfrec.evaluation.metrics import ndcg, target_ranks
from tfrec.index.item_vectors import ItemVectors
from tfrec.surfaces.mixing import Scored, most_likely_weights
from tfrec.surfaces.similar import PARTS, Similar, SimilarTables

NEIGHBOURS = 100
CELLS = 10_000_000
BATCH = 256
CUTOFF = 10
LOSS = 0.02
"""Share of NDCG on validation pairs that more text may cost."""
TEXT_SHARES = (2.0, 1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.0)
TEXTS = PARTS.index("texts")


class ChosenPairs(NamedTuple):
    """Two products that a shopper chose one after the other, or at one moment.

    Attributes:
        item: int64 `[pairs]`.
        later: int64 `[pairs]`, another one.
    """

    item: np.ndarray
    later: np.ndarray


def fit_similar(
    dataset: PreparedDataset, vectors: np.ndarray, texts: np.ndarray, *, seed: int
) -> tuple[SimilarTables, dict[str, float]]:
    """Fits the weights on the validation split, and counts the log before the test split.

    Args:
        dataset: the prepared data set.
        vectors: float32 `[num_items + 1, dimension]`, unit vectors of the items.
        texts: float32 `[num_items + 1, text_dimension]`, unit vectors of their texts.
        seed: seed of the draw of pairs.

    Returns:
        The tables, and recall at 10 on the validation pairs.
    """
    tables = count_similar(dataset, "valid")
    pairs = held_out_pairs(dataset, "valid", seed=seed)
    most = max(1, CELLS // len(vectors))
    pairs = ChosenPairs(pairs.item[:most], pairs.later[:most])
    final = count_similar(dataset, "test")
    if not len(pairs.item):
        return final, {}
    parts = pair_parts(tables, pairs.item, vectors, texts)
    hidden = np.zeros(parts[0].shape, bool)
    hidden[:, 0] = True
    hidden[np.arange(len(pairs.item)), pairs.item] = True
    scored = Scored(parts, np.zeros((len(vectors), 0), np.float32), pairs.later, hidden)
    likely = most_likely_weights(scored, "Weights of what is alike")
    mix = likely / likely.sum() if likely.sum() > 0 else final.mix
    mix, recall = _with_text(scored, mix)
    return SimilarTables(final.nearest, final.cosines, mix), {"similar_recall@10": recall}


def _with_text(scored: Scored, mix: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns the weights with as much text added as costs no more than `LOSS`.

    What is chosen next is often no substitute; what is described alike is.
    """
    cases = np.arange(len(scored.target) + 1)

    def measured(share: float) -> tuple[float, float, np.ndarray]:
        changed = ((mix + share * np.eye(len(PARTS))[TEXTS]) / (1.0 + share)).astype(np.float32)
        ranks = target_ranks(scored.scores(changed), cases, scored.target)
        quality = float(ndcg(ranks, cases, CUTOFF).mean())
        return quality, float((ranks <= CUTOFF).mean()), changed

    tried = [measured(share) for share in TEXT_SHARES]
    enough = (1.0 - LOSS) * max(quality for quality, _, _ in tried)
    _, recall, chosen = next(one for one in tried if one[0] >= enough)
    return chosen, recall


def count_similar(dataset: PreparedDataset, before: str) -> SimilarTables:
    """Returns what the log before a split says; all parts weigh alike."""
    chosen = history_matrix(
        dataset.log_before(before), dataset.num_items + 1, events=dataset.target_event_indices
    )
    nearest, cosines = neighbour_table(chosen, NEIGHBOURS)
    return SimilarTables(nearest, cosines, np.full(len(PARTS), 1.0 / len(PARTS), np.float32))


def held_out_pairs(dataset: PreparedDataset, split: str, *, seed: int) -> ChosenPairs:
    """Returns one pair a shopper of a split, in random order: two neighbours among his choices.

    Both are of the period of the split. Where a shopper has a single choice in it, the first is
    the last one before it.

    Args:
        dataset: the prepared data set.
        split: `valid` or `test`.
        seed: seed of the draw.
    """
    histories = dataset.histories(split)
    random = np.random.default_rng(seed)
    events = dataset.target_event_indices
    items, later = [], []
    for shopper in random.permutation(len(histories)):
        past, future = histories.history(int(shopper)), histories.targets(int(shopper))
        chosen = histories.target_item[future][np.isin(histories.target_event[future], events)]
        if len(chosen) < 2:
            had = histories.item[past][np.isin(histories.event[past], events)]
            chosen = np.concatenate([had[-1:], chosen])
        places = np.flatnonzero(chosen[1:] != chosen[:-1])
        if len(places):
            place = random.choice(places)
            items.append(chosen[place])
            later.append(chosen[place + 1])
    return ChosenPairs(np.array(items, np.int64), np.array(later, np.int64))


def pair_parts(
    tables: SimilarTables, items: np.ndarray, vectors: np.ndarray, texts: np.ndarray
) -> list[np.ndarray]:
    """Returns `Similar.parts` of all items, float32 `[items, num_items + 1]` each."""
    model = Similar(tables)
    table, text_table = ItemVectors(tf.constant(vectors)), tf.constant(texts)
    found: list[list[np.ndarray]] = [[] for _ in PARTS]
    for start in range(0, len(items), BATCH):
        batch = tf.constant(items[start : start + BATCH])
        for kept, part in zip(found, model.parts(batch, table, text_table), strict=True):
            kept.append(part.numpy())
    return [np.concatenate(kept) for kept in found]
