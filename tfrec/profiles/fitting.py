"""Fits what portraits are drawn with to a shop's log and catalogue."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfrec.profiles.clusters import best_clusters, distinctive_names, k_means
from tfrec.profiles.purchase_gaps import SECONDS_PER_DAY, PurchaseDays, PurchaseRhythm
from tfrec.profiles.tables import ProfileTables, groups_of_texts

SEGMENT_SIZES = range(3, 13)
"""Numbers of segments that are tried; the one with the best silhouette is taken."""
MOST_GROUPS = 24
_PRODUCTS_A_GROUP = 20
_FILLED = 0.5
"""Share of products that must have a value of a column for portraits to name it."""


@dataclass(frozen=True)
class Purchases:
    """What shoppers bought, flat.

    Attributes:
        owner: int64 `[purchases]`, positions of the shoppers.
        item: int64 `[purchases]`, from 1.
        timestamp: int64 `[purchases]`, unix seconds; 0 for unknown.
        shoppers: how many there are.
    """

    owner: np.ndarray
    item: np.ndarray
    timestamp: np.ndarray
    shoppers: int


def fit_profiles(
    purchases: Purchases,
    queries: np.ndarray,
    titles: Sequence[Sequence[str]],
    categories: Mapping[str, np.ndarray],
    text: np.ndarray,
    prices: np.ndarray,
    *,
    retrieval: str,
    seed: int,
) -> ProfileTables:
    """Returns the tables of a shop.

    Args:
        purchases: everybody's.
        queries: float32 `[shoppers, dimension]`, unit vectors of the shoppers.
        titles: the words of each item's title.
        categories: int32 `[num_items + 1, most]` by column of the catalogue, 0 pads.
        text: float32 `[num_items + 1, text_dimension]`, unit vectors of the items' texts.
        prices: float32 `[num_items + 1]`, NaN where unknown.
        retrieval: fingerprint of the model that the queries are of.
        seed: seed of the draws.
    """
    columns = [
        column for column, table in categories.items() if (table[1:] > 0).any(1).mean() >= _FILLED
    ]
    said = np.abs(text[1:]).sum(axis=1) > 0
    count = int(np.clip(said.sum() // _PRODUCTS_A_GROUP, 1, MOST_GROUPS))
    group_centres = np.zeros((1, text.shape[1]), np.float32)
    group_names = ["everything"]
    group_of = np.zeros(len(text), np.int32)
    if said.any():
        # A word that one product alone has names no group.
        group_centres = k_means(text[1:][said], count, seed).astype(np.float32)
        group_of = groups_of_texts(text, group_centres)
        group_names = _named_groups(group_of[1:] - 1, titles, len(group_centres))
    centres, silhouettes = best_clusters(queries, SEGMENT_SIZES, seed)
    segment = (queries @ centres.T).argmax(axis=1)
    # Finer than a category, and readable whatever the catalogue has.
    counts = np.zeros((len(centres), len(group_names) + 1))
    np.add.at(counts, (segment[purchases.owner], group_of[purchases.item]), 1.0)
    sizes = np.bincount(segment, minlength=len(centres))
    return ProfileTables(
        segment_centres=centres.astype(np.float32),
        segment_names=distinctive_names(counts, ["", *group_names], words=1),
        segment_shares=(sizes / max(len(queries), 1)).tolist(),
        silhouettes={str(k): score for k, score in silhouettes.items()},
        columns=columns,
        group_centres=group_centres,
        group_names=group_names,
        price_bounds=price_bounds(purchases, prices),
        rhythm=rhythm_of(purchases),
        retrieval=retrieval,
    )


def rhythm_of(purchases: Purchases) -> PurchaseRhythm | None:
    """Returns the rhythm of everybody's purchases, as it is on the last day of the log."""
    if not purchases.timestamp.any():
        return None
    days = PurchaseDays.of(purchases.owner, purchases.timestamp, purchases.shoppers)
    return PurchaseRhythm.fit(days, int(purchases.timestamp.max()) // SECONDS_PER_DAY)


def price_bounds(purchases: Purchases, prices: np.ndarray) -> tuple[float, float]:
    """Returns what parts the thirds of the shoppers by the median price of their purchases."""
    paid = prices[purchases.item]
    known = np.isfinite(paid)
    owner, paid = purchases.owner[known], paid[known]
    if not len(paid):
        return 0.0, 0.0
    order = np.lexsort([paid, owner])
    _, first = np.unique(owner[order], return_index=True)
    medians = [np.median(part) for part in np.split(paid[order], first[1:])]
    low, high = np.quantile(medians, [1 / 3, 2 / 3])
    return float(low), float(high)


def _named_groups(group: np.ndarray, titles: Sequence[Sequence[str]], count: int) -> list[str]:
    """Names groups of products by the words that their titles have more often than others'."""
    common = Counter(word.casefold() for words in titles for word in words)
    vocabulary = [word for word, times in common.items() if times > 1 and _speaks(word)]
    place = {word: index for index, word in enumerate(vocabulary)}
    counts = np.zeros((count, max(len(vocabulary), 1)))
    for number, words in zip(group, titles, strict=True):
        if number < 0:
            continue
        for word in words:
            if word.casefold() in place:
                counts[number, place[word.casefold()]] += 1
    return distinctive_names(counts, vocabulary or [""])


def _speaks(word: str) -> bool:
    """Whether a word may name a group: numbers and the shortest words do not."""
    return not any(letter.isdigit() for letter in word) and (len(word) > 2 or not word.isascii())
