"""Kinds of products: the catalogue's categories, or groups learned from texts."""

import numpy as np
from scipy.cluster.vq import kmeans2

BROADEST = 0.25
"""Share of the catalogue above which a category says nothing of its products."""
NO_GROUP = 0


def category_groups(values: np.ndarray) -> np.ndarray:
    """Returns the broadest category of every item that still says something.

    That is, of its categories that at most `BROADEST` of the catalogue have, the most common one:
    in a tree of categories the branch next to the root.

    Args:
        values: int `[num_items + 1, most]`, categories from 1 by item, 0 for none; row 0 unused.

    Returns:
        int32 `[num_items + 1]`, groups from 1; 0 for an item without a category.
    """
    rows = np.repeat(np.arange(len(values)), values.shape[1])
    flat = values.ravel().astype(np.int64)
    there = (flat > 0) & (rows > 0)
    pairs = np.unique(np.stack([rows[there], flat[there]], axis=1), axis=0)
    sizes = np.bincount(pairs[:, 1], minlength=int(flat.max(initial=0)) + 1)
    says = sizes <= BROADEST * (len(values) - 1)
    pairs = pairs[says[pairs[:, 1]]]
    # The last write stays: the most common category of each item.
    pairs = pairs[np.argsort(sizes[pairs[:, 1]], kind="stable")]
    found = np.zeros(len(values), np.int64)
    found[pairs[:, 0]] = pairs[:, 1]
    kept, group = np.unique(found, return_inverse=True)
    return (group + (kept[0] != 0)).astype(np.int32)


def learned_groups(vectors: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Returns groups of items that are alike, by k-means with the start of k-means++.

    Args:
        vectors: float `[num_items, dimension]`, unit vectors.
        count: number of groups at most.
        seed: seed of the start.

    Returns:
        int32 `[num_items + 1]`, groups from 1; 0 for item 0.
    """
    count = max(1, min(count, len(vectors)))
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    _, group = kmeans2(centred, count, minit="++", rng=seed)
    _, group = np.unique(group, return_inverse=True)
    return np.concatenate([[NO_GROUP], group + 1]).astype(np.int32)


def groups_of_all(group: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Returns the groups with those of items that have none, which are their nearest item's.

    Args:
        group: int32 `[known + 1]`; items after these have no group yet.
        vectors: float32 `[num_items, dimension]`, unit vectors of the texts.

    Returns:
        int32 `[num_items + 1]`.
    """
    full = np.pad(group, (0, len(vectors) + 1 - len(group)))
    without = np.flatnonzero(full[1:] == NO_GROUP)
    with_one = np.flatnonzero(full[1:] != NO_GROUP)
    if len(without) and len(with_one):
        nearest = (vectors[without] @ vectors[with_one].T).argmax(axis=1)
        full[without + 1] = full[with_one[nearest] + 1]
    return full
