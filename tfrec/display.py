"""Shows tables twice over: as HTML in a notebook, as text everywhere else."""

import html
import io
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

TEXT_WIDTH = 120
_TABLE_STYLE = "border-collapse: collapse; margin: 0.5em 0"
_CAPTION_STYLE = "caption-side: top; text-align: left; font-weight: bold; padding: 0.3em 0"
_FOOTER_STYLE = "font-size: 90%; opacity: 0.75"


class Displayed:
    """Something that is shown as tables and sentences; a subclass says which in `renderables`."""

    def renderables(self) -> Iterable[Table | Text]:
        """Returns what to show, from top to bottom."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return to_html(self.renderables())

    def __repr__(self) -> str:
        return to_text(self.renderables())


def to_text(parts: Iterable[RenderableType]) -> str:
    """Returns `parts` as plain text, `TEXT_WIDTH` characters wide."""
    console = Console(file=io.StringIO(), width=TEXT_WIDTH, color_system=None, highlight=False)
    console.print(*parts, sep="\n")
    written = console.file
    assert isinstance(written, io.StringIO)
    return "\n".join(line.rstrip() for line in written.getvalue().rstrip().splitlines())


def to_html(parts: Iterable[Table | Text]) -> str:
    """Returns `parts` as HTML: a `table` for every table, a `p` for every text.

    Styles stand at the elements, as pages that show notebooks keep no style sheets; without them
    the tables are still read well.
    """
    return "\n".join(
        _table(part) if isinstance(part, Table) else f"<p>{_inline(part)}</p>" for part in parts
    )


def _table(table: Table) -> str:
    lines = [f'<table style="{_TABLE_STYLE}">']
    if table.title:
        lines.append(f'<caption style="{_CAPTION_STYLE}">{_inline(table.title)}</caption>')
    alignments = ["right" if column.justify == "right" else "left" for column in table.columns]
    heads = [
        _cell("th", column.header, alignment)
        for column, alignment in zip(table.columns, alignments, strict=True)
    ]
    lines.append(f"<thead><tr>{''.join(heads)}</tr></thead><tbody>")
    rows = zip(*(column.cells for column in table.columns), strict=True)
    for cells in rows:
        row = [
            _cell("td", cell, alignment) for cell, alignment in zip(cells, alignments, strict=True)
        ]
        lines.append(f"<tr>{''.join(row)}</tr>")
    lines.append("</tbody>")
    if table.caption:
        lines.append(
            f'<tfoot><tr><td colspan="{len(alignments)}" style="text-align: left; '
            f'{_FOOTER_STYLE}">{_inline(table.caption)}</td></tr></tfoot>'
        )
    lines.append("</table>")
    return "\n".join(lines)


def _cell(tag: str, content: RenderableType, alignment: str) -> str:
    return f'<{tag} style="text-align: {alignment}">{_inline(content)}</{tag}>'


def _inline(content: RenderableType) -> str:
    """Returns a cell's text; of the styles of rich, bold is kept."""
    if not isinstance(content, Text):
        return html.escape(str(content))
    text = html.escape(content.plain)
    styles = [str(content.style), *(str(span.style) for span in content.spans)]
    return f"<b>{text}</b>" if "bold" in styles else text
