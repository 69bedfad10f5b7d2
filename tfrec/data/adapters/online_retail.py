"""The spreadsheet of UCI's "Online Retail" and "Online Retail II"."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import python_calamine

from tfrec.data import cells
from tfrec.data.adapters.base import Adapter
from tfrec.data.csv_reader import read_csv
from tfrec.data.parts import Part
from tfrec.data.readers import read_table, reader_for
from tfrec.data.table import Table, to_pandas_text
from tfrec.errors import UserError

# The contract's names and how the two editions spell them.
COLUMNS = {
    "order_id": ["InvoiceNo", "Invoice"],
    "item_id": ["StockCode"],
    "title": ["Description"],
    "quantity": ["Quantity"],
    "timestamp": ["InvoiceDate"],
    "price": ["UnitPrice", "Price"],
    "user_id": ["CustomerID", "Customer ID"],
    "country": ["Country"],
}

# Postage, charges, discounts, manual lines, samples and vouchers: codes that no shopper chose.
NON_PRODUCTS = [
    *("POST", "D", "M", "S", "B", "C2", "C3", "DOT", "CRUK", "PADS", "AMAZONFEE"),
    *("BANK CHARGES", "ADJUST", "ADJUST2", "GIFT", "SP1002"),
]
NON_PRODUCT_PREFIXES = ("GIFT_", "TEST")


class OnlineRetailAdapter(Adapter):
    """Reads the order lines as ``.xlsx`` or ``.csv``, in the original columns.

    Cancelled invoices (``C…``) become returns with a positive quantity. Rows are rejected as
    ``non_product`` (postage, bank charges, …), ``guest`` (no customer id) and
    ``stock_adjustment`` (a negative quantity that is no cancellation). The catalogue is derived
    from the same lines: the most frequent description and the median price of each product.
    """

    def __init__(self) -> None:
        self._lines: dict[str, Table] = {}

    def events(self, source: str | Path) -> Table:
        """Reads the order lines as purchases and returns."""
        table = self._read(source)
        table.require(["order_id", "item_id", "quantity", "timestamp", "user_id"], "events")
        products = _product_codes(table)
        invoices = to_pandas_text(table.columns.column("order_id")).str.upper()
        cancelled = invoices.str.startswith("C").fillna(False).to_numpy(dtype=bool)
        # In exports, the missing ids of guests often turn the others into 17850.0.
        users = to_pandas_text(table.columns.column("user_id")).str.removesuffix(".0")
        guest = users.isna().to_numpy()
        table.reject(_is_non_product(products), "non_product")
        table.reject(guest, "guest")
        quantity = cells.numbers(table, "quantity").to_numpy()
        table.reject((quantity < 0) & ~cancelled, "stock_adjustment")
        derived = {
            "user_id": pa.array(users, pa.string(), from_pandas=True),
            "item_id": pa.array(products, pa.string(), from_pandas=True),
            "event": pa.array(np.where(cancelled, "return", "purchase"), pa.string()),
            "quantity": pa.array(np.abs(quantity), pa.float64(), from_pandas=True),
        }
        for name in ("timestamp", "price", "order_id", "country"):
            if name in table.columns.column_names:
                derived[name] = table.columns.column(name)
        table.columns = pa.table(derived)
        return table

    def items(self, source: str | Path) -> Table:
        """Derives the catalogue from the order lines, or reads a catalogue of its own."""
        table = self._read(source)
        if "order_id" not in table.columns.column_names:
            return table
        table.require(["item_id", "title", "quantity", "price"], "items")
        lines = pd.DataFrame(
            {
                "item_id": _product_codes(table),
                "title": to_pandas_text(table.columns.column("title")),
                "price": cells.numbers(table, "price"),
                "quantity": cells.numbers(table, "quantity"),
                "file": table.file,
                "row": table.row,
            }
        )
        usable = table.kept & lines["item_id"].notna() & ~_is_non_product(lines["item_id"])
        lines = lines[usable & (lines["quantity"] > 0)]
        if lines.empty:
            raise UserError(f"{table.label} has no order lines of products to make items from")
        groups = lines.groupby("item_id", sort=True)
        first = groups[["file", "row"]].first()
        # Sorted by count, then by text, so that a tie is decided the same way every time.
        titles = (
            lines.groupby(["item_id", "title"])
            .size()
            .reset_index(name="count")
            .sort_values(["item_id", "count", "title"], ascending=[True, False, True])
            .drop_duplicates("item_id")
            .set_index("item_id")["title"]
            .reindex(first.index)
        )
        prices = lines[lines["price"] > 0].groupby("item_id")["price"].median()
        raw = pa.table(
            {
                "item_id": pa.array(first.index, pa.string(), from_pandas=True),
                "title": pa.array(titles, pa.string(), from_pandas=True),
                "price": pa.array(prices.reindex(first.index), pa.float64(), from_pandas=True),
            }
        )
        return Table(
            raw=raw,
            files=table.files,
            file=first["file"].to_numpy(dtype=np.int32),
            row=first["row"].to_numpy(dtype=np.int64),
        )

    def _read(self, source: str | Path) -> Table:
        # The spreadsheet takes seconds to read and usually serves as log and catalogue both.
        # Only what was read is shared: the verdicts on events are not those on items.
        key = str(source)
        if key not in self._lines:
            self._lines[key] = read_table(source, "order lines", reader=_read_lines)
        table = self._lines[key]
        names = {}
        for name, spellings in COLUMNS.items():
            found = next((one for one in spellings if one in table.raw.column_names), None)
            names[found or name] = name
        columns = table.raw.rename_columns(
            [names.get(column, column) for column in table.raw.column_names]
        )
        user = next((c for c in COLUMNS["user_id"] if c in table.raw.column_names), None)
        return Table(
            raw=table.raw,
            files=table.files,
            file=table.file,
            row=table.row,
            columns=columns,
            user_column=user,
            reasons=list(table.reasons),
            reason=table.reason.copy(),
        )


def _product_codes(table: Table) -> pd.Series:
    # The same product appears as 85123a and 85123A.
    return to_pandas_text(table.columns.column("item_id")).str.upper()


def _is_non_product(codes: pd.Series) -> np.ndarray:
    listed = codes.isin(NON_PRODUCTS)
    return (listed | codes.str.startswith(NON_PRODUCT_PREFIXES).fillna(False)).to_numpy(dtype=bool)


def _read_lines(path: Path) -> Part:
    if path.suffix.lower() in (".xlsx", ".xls", ".xlsb"):
        return _read_spreadsheet(path)
    reader = reader_for(path)
    if reader is not read_csv:
        return reader(path)
    try:
        return read_csv(path)
    except (UnicodeDecodeError, pa.ArrowInvalid) as error:
        if not isinstance(error, UnicodeDecodeError) and "UTF8" not in str(error):
            raise
        # Exports of the spreadsheet are often in Windows' encoding: it has pound signs.
        return read_csv(path, encoding="latin-1")


def _read_spreadsheet(path: Path) -> Part:
    try:
        workbook = python_calamine.CalamineWorkbook.from_path(str(path))
        sheets = [workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names]
    except python_calamine.CalamineError as error:
        raise UserError(f"{path} is not a readable spreadsheet ({error})") from error
    sheets = [sheet for sheet in sheets if sheet]
    if not sheets:
        return pa.table({}), np.arange(0), []
    header = [str(cell).strip() for cell in sheets[0][0]]
    for sheet in sheets[1:]:
        if [str(cell).strip() for cell in sheet[0]] != header:
            raise UserError(f"the sheets of {path} have different columns; save them apart")
    # Row numbers count through the sheets, which the second edition has two of.
    rows = [row for sheet in sheets for row in sheet[1:]]
    columns = {name: _column([row[i] for row in rows]) for i, name in enumerate(header) if name}
    return pa.table(columns), np.arange(len(rows)), []


def _column(values: list[Any]) -> pa.Array:
    values = [None if value == "" else value for value in values]
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([_cell_text(value) for value in values], pa.string())


def _cell_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    return str(value)
