"""The catalogue as the item table of a prepared data set."""

import difflib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfrec.config.data import DataConfig
from tfrec.data import cells
from tfrec.data.dataset import VALUES_SUFFIX
from tfrec.data.schema import ITEM_PHRASES, MARGIN, apply_schema, item_schema
from tfrec.data.table import Table
from tfrec.data.timestamps import parse_timestamps
from tfrec.data.vectors import read_vectors
from tfrec.errors import UserError

# Columns that the contract names; a log may well lack those that are not required.
STANDARD = [*ITEM_PHRASES, "price", MARGIN, "available", "launched_at", "image_embedding"]


@dataclass(frozen=True)
class Catalogue:
    """The item table before it is joined with the events.

    Attributes:
        frame: one row an accepted item, sorted by item_id.
        categorical_columns: those of the configuration that the catalogue has.
        notes: what the user should know.
    """

    frame: pd.DataFrame
    categorical_columns: list[str]
    notes: list[str]


def build_catalogue(table: Table, config: DataConfig) -> Catalogue:
    """Gives the catalogue its types, rejects the rows that break the contract, makes the texts.

    Args:
        table: the rows; verdicts are added to it.
        config: which columns make texts and categories.

    Raises:
        UserError: if a column is missing, or more than half of a column is wrong, or no row
            is left.
    """
    table.require(["item_id", "title"], "items")
    names = table.columns.column_names
    categorical = {column.column: column.separator for column in config.categorical_columns}
    _check_named_columns(table, [*config.text_columns, *categorical])
    notes = []
    columns: dict[str, pd.Series | list] = {"item_id": cells.texts(table, "item_id")}
    cells.refuse_wrong_column(table, "item_id", columns["item_id"].isna().to_numpy(), "a value")  # type: ignore[union-attr]
    for name in ITEM_PHRASES:
        if name in names:
            columns[name] = cells.phrases(table, name)
        else:
            columns[name] = pd.Series([""] * len(table), dtype="str")
    columns["text"] = _texts(table, [name for name in config.text_columns if name in names])
    if "price" in names:
        columns["price"] = cells.numbers(table, "price")
    else:
        columns["price"] = pd.Series(np.full(len(table), np.nan))
    if MARGIN in names:
        columns[MARGIN] = cells.numbers(table, MARGIN)
    if "available" in names:
        columns["available"] = cells.flags(table, "available", default=True)
    else:
        columns["available"] = pd.Series(np.ones(len(table), dtype=bool))
    columns["launched_at"] = _launch_times(table)
    present = [name for name in categorical if name in names]
    for name in present:
        columns[f"{name}{VALUES_SUFFIX}"] = cells.lists(table, name, categorical[name])
    for name in config.vector_columns:
        if name in names:
            columns[name] = pd.Series(read_vectors(table, name), dtype=object)
        elif name not in STANDARD:
            notes.append(_missing_vectors(table, name))
    frame = pd.DataFrame(columns)
    _apply_rules(table, frame, config)
    frame = frame[table.kept]
    if frame.empty:
        reasons = ", ".join(f"{reason} {count}" for reason, count in table.counts().items())
        raise UserError(f"no row of {table.label} can be used as an item ({reasons})")
    if empty := int((frame["title"] == "").sum()):
        notes.append(f"{empty} items have no title")
    frame = frame.sort_values("item_id", kind="stable").reset_index(drop=True)
    return Catalogue(frame, present, notes)


def add_unknown_items(catalogue: Catalogue, item_ids: list[str]) -> Catalogue:
    """Returns the catalogue with bare rows for items that only the events know."""
    frame = catalogue.frame
    bare = pd.DataFrame({"item_id": pd.Series(sorted(item_ids), dtype="str")})
    for name in frame.columns.drop("item_id"):
        if name.endswith(VALUES_SUFFIX):
            bare[name] = [[] for _ in range(len(bare))]
        elif name == "available":
            bare[name] = True
        elif isinstance(frame[name].dtype, pd.StringDtype):
            bare[name] = pd.Series([""] * len(bare), dtype="str")
        else:
            bare[name] = pd.Series([None] * len(bare)).astype(frame[name].dtype)
    frame = pd.concat([frame, bare], ignore_index=True)
    frame = frame.sort_values("item_id", kind="stable").reset_index(drop=True)
    note = f"{len(bare)} items that are not in the catalogue were added without a title"
    return Catalogue(frame, catalogue.categorical_columns, [*catalogue.notes, note])


def join_texts(parts: list[pd.Series]) -> pd.Series:
    """Returns each item's text: those of its parts that are not empty, with ". " between."""
    rows = zip(*parts, strict=True)
    return pd.Series([". ".join(part for part in row if part) for row in rows], dtype="str")


def _check_named_columns(table: Table, wanted: list[str]) -> None:
    names = table.columns.column_names
    missing = [name for name in dict.fromkeys(wanted) if name not in names]
    for name in missing:
        if name not in STANDARD:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"its columns are {', '.join(names)}"
            raise UserError(
                f"{table.label} has no column `{name}`, which data.text_columns or "
                f"data.categorical_columns name; {hint}"
            )


def _missing_vectors(table: Table, name: str) -> str:
    """Says that there is no column `name`: items may do without vectors.

    Raises:
        UserError: if a column has almost this name.
    """
    close = difflib.get_close_matches(name, table.columns.column_names, n=1)
    if close:
        raise UserError(
            f"{table.label} has no column `{name}`, which data.vector_columns name; did you mean "
            f"`{close[0]}`?"
        )
    return f"no item has a vector in `{name}`, as the catalogue has no such column"


def _launch_times(table: Table) -> pd.Series:
    if "launched_at" not in table.columns.column_names:
        return pd.Series(np.full(len(table), np.datetime64("NaT", "us")))
    parsed = parse_timestamps(table, "launched_at")
    cells.refuse_wrong_column(table, "launched_at", parsed.wrong, "timestamps")
    table.reject(parsed.wrong, "wrong_type:launched_at")
    return pd.Series(parsed.values)


def _apply_rules(table: Table, frame: pd.DataFrame, config: DataConfig) -> None:
    title_required = config.missing_titles == "reject"
    titles = frame["title"].where(frame["title"] != "")
    apply_schema(item_schema(title_required=title_required), frame.assign(title=titles), table)
    broken = frame["item_id"].str.contains(r"[\r\n]", regex=True).fillna(False)
    table.reject(broken.to_numpy(dtype=bool), "line_break_in_item_id")
    kept = table.kept
    repeated = np.zeros(len(table), dtype=bool)
    repeated[kept] = frame["item_id"][kept].duplicated().to_numpy()
    table.reject(repeated, "duplicate_item")


def _texts(table: Table, columns: list[str]) -> pd.Series:
    if not columns:
        return pd.Series([""] * len(table), dtype="str")
    return join_texts([cells.phrases(table, name) for name in columns])
