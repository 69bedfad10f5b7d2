"""Files that already have the columns of the data contract."""

from pathlib import Path

from tfrec.data.adapters.base import Adapter
from tfrec.data.readers import read_table
from tfrec.data.table import Table


class GenericAdapter(Adapter):
    """CSV, Parquet and JSON Lines under the contract's own column names."""

    def events(self, source: str | Path) -> Table:
        """Reads the event log."""
        return read_table(source, "events", user_column="user_id")

    def items(self, source: str | Path) -> Table:
        """Reads the catalogue."""
        return read_table(source, "items")
