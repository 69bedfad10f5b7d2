"""RecBole's atomic files: ``*.inter`` and ``*.item``, as its data sets are published."""

from pathlib import Path

import pyarrow as pa

from tfrec.data.adapters.base import Adapter
from tfrec.data.csv_reader import read_csv
from tfrec.data.parts import Part
from tfrec.data.readers import read_table
from tfrec.data.table import Table, to_pandas_text

TITLES = ("title", "movie_title", "item_name", "name")
CATEGORIES = ("categories", "class", "genre", "genres")


class RecBoleAdapter(Adapter):
    """Reads every interaction as one event: `rating` where there are ratings, else `interaction`.

    The columns of an atomic file have types in their names, such as ``user_id:token``; the types
    are dropped. The words of a ``token_seq`` with genres or categories become `categories`.
    """

    timestamp_unit = "seconds"

    def events(self, source: str | Path) -> Table:
        """Reads the interactions."""
        table = read_table(source, "interactions", reader=_read, user_column="user_id:token")
        columns = _without_types(table.raw)
        event = "rating" if "rating" in columns.column_names else "interaction"
        table.columns = columns.append_column("event", pa.array([event] * len(table), pa.string()))
        return table

    def items(self, source: str | Path) -> Table:
        """Reads the items; one without a title column has none."""
        table = read_table(source, "items", reader=_read)
        columns = _without_types(table.raw)
        title = _first(columns, TITLES)
        if title is None:
            columns = columns.append_column("title", pa.nulls(len(table), pa.string()))
        elif title != "title":
            columns = columns.append_column("title", columns.column(title))
        categories = _first(columns, CATEGORIES)
        if categories is not None:
            words = [text.split() for text in to_pandas_text(columns.column(categories)).fillna("")]
            if categories == "categories":
                columns = columns.drop_columns("categories")
            columns = columns.append_column("categories", pa.array(words, pa.list_(pa.string())))
        table.columns = columns
        return table


def _read(path: Path) -> Part:
    return read_csv(path, delimiter="\t", quoted=False)


def _without_types(table: pa.Table) -> pa.Table:
    return table.rename_columns([name.partition(":")[0] for name in table.column_names])


def _first(table: pa.Table, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in table.column_names), None)
