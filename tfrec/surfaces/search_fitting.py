"""Fits how much each part of a search says, on queries made from titles."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfrec.data.records import batches_by_length
from tfrec.evaluation.metrics import target_ranks
from tfrec.progress import progress
from tfrec.surfaces.mixing import Scored, most_likely_weights
from tfrec.surfaces.noisy_queries import Query, queries_of
from tfrec.surfaces.search import PARTS, Search

ITEMS = 300
"""Items whose titles make validation queries, four each."""
CELLS = 8_000_000
BATCH = 64
CUTOFF = 10

Encode = Callable[[tf.Tensor], tf.Tensor]


def validation_queries(titles: Sequence[str], *, seed: int) -> list[Query]:
    """Returns the queries that the weights are fitted on."""
    return queries_of(titles, drawn_items(len(titles), seed)[:ITEMS].tolist(), seed=seed)


def drawn_items(count: int, seed: int) -> np.ndarray:
    """Returns the rows of all items in a random order; the first `ITEMS` are for validation."""
    return np.random.default_rng(seed).permutation(count)


def fit_search(
    titles: Sequence[str],
    texts: Sequence[str],
    item_meanings: np.ndarray,
    encode: Encode,
    *,
    seed: int,
) -> tuple[np.ndarray, dict[str, float]]:
    """Returns the weights of the parts, which add up to 1, and recall at 10 on those queries.

    Args:
        titles: titles of the items.
        texts: what the items are found by.
        item_meanings: float32 `[num_items + 1, text_dimension]`, unit vectors of the texts.
        encode: turns texts `[batch]` into unit vectors.
        seed: seed of the queries.
    """
    equal = np.full(len(PARTS), 1.0 / len(PARTS), np.float32)
    queries = validation_queries(titles, seed=seed)[: max(1, CELLS // len(item_meanings))]
    if not queries:
        return equal, {}
    parts = query_parts(Search(texts, equal), queries, item_meanings, encode)
    target = np.array([query.item + 1 for query in queries])
    hidden = np.zeros(parts[0].shape, bool)
    hidden[:, 0] = True
    scored = Scored(parts, np.zeros((len(item_meanings), 0), np.float32), target, hidden)
    likely = most_likely_weights(scored, "Weights of the search")
    mix = (likely / likely.sum()).astype(np.float32) if likely.sum() > 0 else equal
    ranks = target_ranks(scored.scores(mix), np.arange(len(queries) + 1), target)
    return mix, {"search_recall@10": float((ranks <= CUTOFF).mean())}


def query_parts(
    search: Search, queries: Sequence[Query], item_meanings: np.ndarray, encode: Encode
) -> list[np.ndarray]:
    """Returns the parts of `Search.parts` for all queries, float32 `[queries, num_items + 1]`."""
    table = tf.constant(item_meanings)
    parts = [np.zeros((len(queries), len(item_meanings)), np.float32) for _ in PARTS]
    batches = batches_by_length(np.array([len(query.text) for query in queries]), BATCH)
    for rows in progress(batches, description="Reading queries", unit="batch"):
        texts = tf.constant([queries[row].text for row in rows])
        found, _ = search.parts(texts, encode(texts), table)
        for part, values in zip(parts, found, strict=True):
            part[rows] = values.numpy()
    return parts
