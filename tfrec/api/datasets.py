"""Data sets for notebooks: prepared ones, raw ones, shipped ones."""

import hashlib
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from tfrec.api.experiments import Source, configure
from tfrec.api.scratch import scratch_folder
from tfrec.config import DataConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.manifest import MANIFEST
from tfrec.data.prepare import prepare_dataset
from tfrec.data.readers import resolve
from tfrec.data.sample import sample_names, sample_path
from tfrec.errors import UserError
from tfrec.files import read_json, sha256_of_file, write_json

ORIGIN = "origin.json"
"""Beside a data set's manifest: what it was made of, so that it need not be made again."""

Raw: TypeAlias = str | Path | pd.DataFrame


def load_dataset(
    source: Raw,
    items: Raw | None = None,
    *,
    config: Source = None,
    out: str | Path | None = None,
) -> PreparedDataset:
    """Opens a prepared data set, or prepares one as `tfrec data prepare` does.

    Args:
        source: one of

            - the folder of a prepared data set, which is opened;
            - the name of a shipped data set, such as ``"online_retail"``, or a folder that holds
              ``events.parquet``, ``items.parquet`` and, if wanted, ``config.yaml``;
            - the events, with `items` beside them.
        items: the catalogue, where `source` is the events. Both are a table or the path of a
            file, or a glob of files.
        config: as in `configure`; its section `data` says how to read, clean and split. Without
            it, that of the shipped data set, or the defaults.
        out: folder of the data set. What is there already is opened if it was made of the same
            files with the same configuration, and replaced otherwise. Without it, a temporary
            folder that goes with this process.

    Raises:
        UserError: if an input cannot be used, or `out` cannot be written.
    """
    if items is not None:
        return _prepare(source, items, configure(config).data, out)
    if isinstance(source, pd.DataFrame):
        raise UserError("the events need their catalogue; give load_dataset `items` as well")
    if isinstance(source, str) and source in sample_names():
        folder = sample_path(source)
    else:
        folder = Path(source)
    if not (folder / "events.parquet").is_file() or (folder / MANIFEST).is_file():
        return PreparedDataset.open(folder)
    own = folder / "config.yaml"
    if config is None and own.is_file():
        config = own
    return _prepare(
        folder / "events.parquet", folder / "items.parquet", configure(config).data, out
    )


def _prepare(
    events: Raw, items: Raw, config: DataConfig, out: str | Path | None
) -> PreparedDataset:
    folder = scratch_folder("data") if out is None else Path(out)
    log, catalogue = as_file(events, "events"), as_file(items, "items")
    origin = {
        "config": hashlib.sha256(config.model_dump_json().encode()).hexdigest(),
        "events": [sha256_of_file(path) for path in resolve(log, "events")],
        "items": [sha256_of_file(path) for path in resolve(catalogue, "items")],
    }
    if (folder / ORIGIN).is_file() and read_json(folder / ORIGIN) == origin:
        return PreparedDataset.open(folder)
    dataset = prepare_dataset(log, catalogue, folder, config)
    write_json(folder / ORIGIN, origin)
    return dataset


def as_file(table: Raw, name: str) -> str | Path:
    """Returns the path of a table: its own, or that of a temporary file with its rows.

    Raises:
        UserError: if a column of the table has values of several types.
    """
    if not isinstance(table, pd.DataFrame):
        return table
    path = scratch_folder("tables") / f"{name}.parquet"
    path.parent.mkdir()
    try:
        table.to_parquet(path, index=False)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"the table of {name} cannot be written as Parquet ({error}); give each column one type"
        ) from error
    return path
