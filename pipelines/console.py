"""The console that commands print their tables on."""

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# A pipe and a log have no width of their own, and 80 columns would cut tables of five models.
WIDTH_OUTSIDE_A_TERMINAL = 160


def table_console() -> "Console":
    """Returns a console on stdout: as wide as the terminal, or as ``COLUMNS`` says."""
    from rich.console import Console

    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if has_width else WIDTH_OUTSIDE_A_TERMINAL)


def count_table(title: str, counts: Iterable[tuple[str, int | str]]) -> "Table":
    """Returns a table of what there is how often: names on the left, numbers on the right.

    Args:
        title: of the table.
        counts: names, indented by what they are part of, and whole numbers or texts.
    """
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("count", justify="right")
    for name, count in counts:
        table.add_row(name, count if isinstance(count, str) else f"{count:,}")
    return table
