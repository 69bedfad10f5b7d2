"""The public Amazon review dumps: ``reviews_*.json.gz`` and ``meta_*.json.gz``."""

import ast
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from tfrec.data.adapters.base import Adapter
from tfrec.data.cells import lists, phrases
from tfrec.data.json_reader import read_json_lines
from tfrec.data.parts import Part
from tfrec.data.readers import read_table
from tfrec.data.table import Table, as_strings

REVIEW_COLUMNS = {
    "reviewerID": "user_id",
    "asin": "item_id",
    "unixReviewTime": "timestamp",
    "overall": "rating",
}
# The editions of 2014 and 2018; names, review texts, votes and image links stay out.
META_COLUMNS = ["asin", "title", "description", "brand", "categories", "category", "price"]


class AmazonReviewsAdapter(Adapter):
    """Reads every review as one event `review` with its stars as `rating`.

    Lines are JSON or, in the older metadata files, Python dictionaries. `categories` may be
    nested lists, which are flattened; a price like ``$12.99`` becomes a number.
    """

    timestamp_unit = "seconds"

    def events(self, source: str | Path) -> Table:
        """Reads the reviews."""
        table = read_table(source, "reviews", reader=_read_reviews, user_column="reviewerID")
        names = table.raw.column_names
        columns = table.raw.rename_columns([REVIEW_COLUMNS.get(name, name) for name in names])
        events = pa.array(["review"] * len(table), pa.string())
        table.columns = columns.append_column("event", events)
        return table

    def items(self, source: str | Path) -> Table:
        """Reads the metadata."""
        table = read_table(source, "metadata", reader=_read_metadata)
        names = table.raw.column_names
        columns: dict[str, Any] = {}
        if "asin" in names:
            columns["item_id"] = table.raw.column("asin")
        for name in ("title", "description", "brand"):
            if name in names:
                columns[name] = pa.array(phrases(table, name), pa.string(), from_pandas=True)
        for name in ("categories", "category"):
            if name in names and "categories" not in columns:
                columns["categories"] = pa.array(lists(table, name, None), pa.list_(pa.string()))
        if "price" in names:
            texts = pd.Series(as_strings(table.raw.column("price")).to_pandas(), dtype="str")
            # Later editions also hold ranges and pieces of web pages, which are no price.
            amounts = texts.str.extract(r"^\$?([\d,]+(?:\.\d+)?)$")[0].str.replace(",", "")
            columns["price"] = pa.array(pd.to_numeric(amounts), pa.float64(), from_pandas=True)
        # The older files leave `title` out where they have none, even of every line.
        columns.setdefault("title", pa.nulls(len(table), pa.string()))
        table.columns = pa.table(columns)
        return table


def _read_reviews(path: Path) -> Part:
    return read_json_lines(path, columns=list(REVIEW_COLUMNS))


def _read_metadata(path: Path) -> Part:
    return read_json_lines(path, columns=META_COLUMNS, parse=parse_line)


def parse_line(line: str) -> Any:
    """Reads a line that is JSON or the literal of a Python dictionary.

    Raises:
        ValueError: if it is neither.
    """
    try:
        return json.loads(line)
    except ValueError:
        return ast.literal_eval(line.strip())
