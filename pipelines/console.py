"""The console that commands print their tables on."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# A pipe and a log have no width of their own, and 80 columns would cut tables of five models.
WIDTH_OUTSIDE_A_TERMINAL = 160


def table_console() -> "Console":
    """Returns a console on stdout: as wide as the terminal, or as ``COLUMNS`` says."""
    from rich.console import Console

    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if has_width else WIDTH_OUTSIDE_A_TERMINAL)
