"""What every adapter does."""

import abc
from pathlib import Path

from tfrec.data.table import Table


class Adapter(abc.ABC):
    """Reads the files of one kind of source.

    An adapter gives the rows as they were read together with columns under the names of the
    data contract, and may reject rows that only it can judge. Everything else (types,
    timestamps, duplicates, splits) is the same for all sources and none of its business.
    """

    timestamp_unit: str | None = None
    """The unit, where the source's own definition fixes it; None: detected."""

    @abc.abstractmethod
    def events(self, source: str | Path) -> Table:
        """Reads the event log, with at least `user_id`, `item_id`, `event` and an order.

        Raises:
            UserError: if a file is missing or unreadable, or lacks a column.
        """

    @abc.abstractmethod
    def items(self, source: str | Path) -> Table:
        """Reads the catalogue, with at least `item_id` and `title`.

        Raises:
            UserError: if a file is missing or unreadable, or lacks a column.
        """
