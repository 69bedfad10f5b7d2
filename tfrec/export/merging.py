"""Joins the item table of exported models with a newer catalogue."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfrec.data import cells
from tfrec.data.catalogue import join_texts
from tfrec.data.dataset import VALUES_SUFFIX
from tfrec.data.schema import ITEM_PHRASES
from tfrec.data.table import Table
from tfrec.errors import UserError

# What the training log says of an item; a catalogue says nothing about it.
OF_THE_LOG = ("train_events", "first_seen_train")


@dataclass(frozen=True)
class MergedItems:
    """The joined item table.

    Attributes:
        frame: the known items in their old order, then the new ones, sorted by id.
        new: number of new items.
        changed: number of known items that the catalogue changed.
        unchanged: number of known items that it repeats.
    """

    frame: pd.DataFrame
    new: int
    changed: int
    unchanged: int


def merge_items(
    known: pd.DataFrame, table: Table, fresh: pd.DataFrame, text_columns: list[str]
) -> MergedItems:
    """Joins an item table with the rows of a catalogue.

    A known item takes over what the catalogue says of it; columns that the catalogue does not
    have, and an empty title, leave what is known. Trained ids are row numbers, so known items
    keep their places, and new ones go after the last.

    Args:
        known: the item table.
        table: the catalogue as it was read.
        fresh: its accepted rows, typed.
        text_columns: the columns that make an item's text, in order.

    Raises:
        UserError: if the vectors of a column of the two have different lengths.
    """
    given = set(table.columns.column_names)
    _check_vectors(known, fresh)
    place = pd.Index(known["item_id"]).get_indexer(fresh["item_id"])
    is_new = pd.Series(place < 0)
    before = known.iloc[np.maximum(place, 0)].reset_index(drop=True)
    columns = {}
    for name in known:
        is_given = name in fresh and name.removesuffix(VALUES_SUFFIX) in given
        values = fresh[name] if name in fresh else _blank(name, len(fresh))
        columns[name] = values if is_given else values.where(is_new, before[name])
    update = pd.DataFrame(columns)
    update["title"] = update["title"].where(is_new | (update["title"] != ""), before["title"])
    wanted = [name for name in text_columns if name in given or name in ITEM_PHRASES]
    update["text"] = _texts(table, update, wanted)
    differs = np.zeros(len(fresh), dtype=bool)
    for name in known:
        differs |= _differs(update[name], before[name])
    changed = differs & ~is_new.to_numpy()
    frame = pd.concat([known, update], ignore_index=True)
    order = np.arange(len(known))
    order[place[changed]] = len(known) + np.flatnonzero(changed)
    added = len(known) + np.flatnonzero(is_new)
    return MergedItems(
        frame=frame.iloc[np.concatenate([order, added])].reset_index(drop=True),
        new=int(is_new.sum()),
        changed=int(changed.sum()),
        unchanged=int((~differs & ~is_new).sum()),
    )


def _blank(name: str, count: int) -> pd.Series:
    """Returns a column that a catalogue without it has."""
    if name.endswith(VALUES_SUFFIX):
        return pd.Series([[] for _ in range(count)], dtype=object)
    if name in OF_THE_LOG:
        return pd.Series(np.zeros(count, np.int64))
    return pd.Series([None] * count, dtype=object)


def _texts(table: Table, update: pd.DataFrame, text_columns: list[str]) -> pd.Series:
    """Returns the items' texts, made as the preparation of data makes them."""
    ids = cells.texts(table, "item_id")[table.kept]

    def part(name: str) -> pd.Series:
        if name in ITEM_PHRASES:
            return update[name]
        values = cells.phrases(table, name)[table.kept]
        return pd.Series(values.to_numpy(), index=ids).reindex(update["item_id"])

    if not text_columns:
        return pd.Series([""] * len(update), dtype="str")
    return join_texts([part(name) for name in text_columns])


def _differs(one: pd.Series, other: pd.Series) -> np.ndarray:
    if one.dtype != object:
        return ((one != other) & ~(one.isna() & other.isna())).to_numpy(bool)
    pairs = zip(one, other, strict=True)
    return np.array([not _equal(value, before) for value, before in pairs], dtype=bool)


def _equal(one: object, other: object) -> bool:
    there = [isinstance(value, list | np.ndarray) for value in (one, other)]
    return np.array_equal(one, other) if all(there) else not any(there)  # type: ignore[arg-type]


def _check_vectors(known: pd.DataFrame, fresh: pd.DataFrame) -> None:
    for name in known:
        is_vector = known[name].dtype == object and not name.endswith(VALUES_SUFFIX)
        if not is_vector or name not in fresh:
            continue
        sizes = [
            {len(vector) for vector in frame[name] if vector is not None}
            for frame in (known, fresh)
        ]
        if sizes[0] and sizes[1] and sizes[0] != sizes[1]:
            raise UserError(
                f"column `{name}` holds vectors of {min(sizes[1])} numbers, but the models were "
                f"trained on {min(sizes[0])}; make them with the same model"
            )
