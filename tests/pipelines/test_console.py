"""Tables are as wide as a terminal, and wide where there is none."""

import io

import pytest

from pipelines import console
from pipelines.console import WIDTH_OUTSIDE_A_TERMINAL, table_console


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stdout", "columns", "width"),
    [
        (io.StringIO(), None, WIDTH_OUTSIDE_A_TERMINAL),
        (io.StringIO(), "100", 100),
        (Terminal(), "90", 90),
    ],
)
def test_width(monkeypatch, stdout, columns, width):
    monkeypatch.setattr(console.sys, "stdout", stdout)
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    assert table_console().width == width
