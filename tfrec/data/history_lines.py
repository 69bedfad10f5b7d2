"""Histories of a prepared data set as JSON lines, to ask a server what real shoppers would."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories
from tfrec.files import atomic_file


def write_history_lines(
    dataset: PreparedDataset, split: str, path: str | Path, *, count: int, seed: int = 0
) -> int:
    """Writes the histories of shoppers drawn at random, one JSON object a line.

    An object has ``history`` (item ids, oldest first), ``events``, ``timestamps`` (unix seconds)
    and, where the data set has context columns, ``context`` with their values at the last event.
    Nothing says whose history it is.

    Args:
        dataset: the data set.
        split: one of its splits.
        path: the file to write.
        count: how many shoppers at most.
        seed: of the draw.

    Returns:
        How many histories were written.

    Raises:
        UserError: if there is no such split, or the file cannot be written.
    """
    histories = dataset.histories(split)
    order = np.random.default_rng(seed).permutation(len(histories))[:count]
    items = dataset.items["item_id"].to_numpy(dtype=object)
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for shopper in order:
            row = _row(dataset, histories, items, int(shopper))
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return len(order)


def _row(
    dataset: PreparedDataset, histories: Histories, items: np.ndarray, shopper: int
) -> dict[str, Any]:
    place = histories.history(shopper)
    row: dict[str, Any] = {
        "history": items[histories.item[place] - 1].tolist(),
        "events": [dataset.event_types[event - 1] for event in histories.event[place]],
        "timestamps": histories.timestamp[place].tolist(),
    }
    if dataset.context_columns and place.stop > place.start:
        row["context"] = {}
        for column in dataset.context_columns:
            value = int(histories.context[column][place.stop - 1])
            names = dataset.manifest.context_vocabularies[column]
            row["context"][column] = names[value - 1] if value else ""
    return row
