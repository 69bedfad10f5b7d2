"""Tables of data, shown like the other answers."""

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from tfrec.display import Displayed


class Tabulated(Displayed):
    """A table of data to look at: texts left, numbers right, rows numbered only if they are named.

    Args:
        frame: the data; it stays available as `frame`.
        title: what stands above it.
        digits: digits after the point of every fraction.
    """

    def __init__(self, frame: pd.DataFrame, title: str | None = None, digits: int = 2) -> None:
        self.frame = frame
        self.title = title
        self.digits = digits

    def renderables(self) -> list[Table]:
        """Returns the table."""
        frame = self.frame
        if not isinstance(frame.index, pd.RangeIndex):
            frame = frame.reset_index(names=frame.index.name or "")
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD)
        columns = []
        for name in frame.columns:
            values = frame[name]
            numeric = pd.api.types.is_numeric_dtype(values) and values.dtype != bool
            table.add_column(Text(str(name)), justify="right" if numeric else "left")
            columns.append([self._cell(value, numeric) for value in values])
        for cells in zip(*columns, strict=True):
            table.add_row(*cells)
        return [table]

    def _cell(self, value: object, numeric: bool) -> Text:
        if pd.isna(value):
            return Text("")
        if not numeric:
            return Text(str(value))
        return Text(f"{value:,.{self.digits}f}" if isinstance(value, float) else f"{value:,}")


def tabulate(frame: pd.DataFrame, title: str | None = None, *, digits: int = 2) -> Tabulated:
    """Returns a table of data to look at.

    Args:
        frame: the data.
        title: what stands above it.
        digits: digits after the point of every fraction.
    """
    return Tabulated(frame, title, digits)
