"""Rules about events as a whole: duplicates, returns before purchases, k-core."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tfrec.data.table import Table, as_strings


def duplicated_rows(table: Table) -> np.ndarray:
    """Returns bool `[n]`: kept rows equal in every raw column to an earlier kept row."""
    kept = table.kept
    if not kept.any():  # Arrow cannot make one chunk of none for every type
        return np.zeros(len(table), dtype=bool)
    raw = table.raw.filter(pa.array(kept))
    codes = {}
    for name in raw.column_names:
        column = raw.column(name)
        if pa.types.is_nested(column.type):
            column = as_strings(column)
        if not pa.types.is_dictionary(column.type):
            column = pc.dictionary_encode(column)
        # One chunk, because the chunks of a dictionary column may number values differently.
        encoded = column.unify_dictionaries().combine_chunks()
        codes[name] = pc.fill_null(encoded.indices, -1).to_numpy()
    result = np.zeros(len(table), dtype=bool)
    result[kept] = pd.DataFrame(codes).duplicated().to_numpy()
    return result


def returns_without_purchase(
    user: np.ndarray, item: np.ndarray, is_purchase: np.ndarray, is_return: np.ndarray
) -> np.ndarray:
    """Finds returns of an item that the shopper had not bought before.

    Args:
        user: int `[n]`, in the order of time.
        item: int `[n]`.
        is_purchase: bool `[n]`.
        is_return: bool `[n]`.

    Returns:
        bool `[n]`.
    """
    order = np.lexsort((item, user))  # stable: time order survives inside a pair
    purchases = np.cumsum(is_purchase[order])
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = (np.diff(user[order]) != 0) | (np.diff(item[order]) != 0)
    before_pair = (purchases - is_purchase[order])[starts]
    earlier = purchases - before_pair[np.cumsum(starts) - 1]
    result = np.zeros(len(order), dtype=bool)
    result[order] = is_return[order] & (earlier == 0)
    return result


def below_k_core(
    user: np.ndarray, item: np.ndarray, *, min_user_events: int, min_item_events: int
) -> np.ndarray:
    """Finds the events outside the k-core: dropped until every user and item left has enough.

    Args:
        user: int `[n]` codes from 0.
        item: int `[n]` codes from 0.
        min_user_events: fewest events a user.
        min_item_events: fewest events an item.

    Returns:
        bool `[n]`, the events to drop.
    """
    kept = np.ones(len(user), dtype=bool)
    while kept.any():
        enough_by_user = np.bincount(user[kept], minlength=user.max() + 1) >= min_user_events
        enough_by_item = np.bincount(item[kept], minlength=item.max() + 1) >= min_item_events
        still = kept & enough_by_user[user] & enough_by_item[item]
        if still.sum() == kept.sum():
            break
        kept = still
    return ~kept
