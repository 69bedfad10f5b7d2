"""Tables become HTML that is safe and aligned, and text of a fixed width."""

from rich.table import Table
from rich.text import Text

from tfrec.display import TEXT_WIDTH, Displayed, to_html, to_text


def price_table():
    table = Table(title="Prices <today>", caption="in £")
    table.add_column("item")
    table.add_column("price", justify="right")
    table.add_row(Text("[bold]mug & saucer"), "1.50")
    table.add_row("lamp", Text("9.00", style="bold"))
    return table


class Shelf(Displayed):
    def renderables(self):
        return [Text("Two <things>."), price_table()]


def test_html_of_a_table():
    text = to_html([price_table()])
    assert text.startswith("<table") and text.endswith("</table>")
    assert "Prices &lt;today&gt;</caption>" in text
    assert '<th style="text-align: right">price</th>' in text
    assert '<td style="text-align: left">[bold]mug &amp; saucer</td>' in text
    assert '<td style="text-align: right"><b>9.00</b></td>' in text
    assert 'colspan="2"' in text and "in £</td></tr></tfoot>" in text
    assert text.count("<tr>") == 4


def test_html_of_a_bold_span_and_of_no_row():
    table = Table()
    cell = Text("best")
    cell.stylize("bold")
    table.add_column(cell)
    assert '<th style="text-align: left"><b>best</b></th>' in to_html([table])
    assert "caption" not in to_html([table]) and "tfoot" not in to_html([table])


def test_text_has_no_colours_and_no_blanks_at_the_ends():
    text = to_text([price_table()])
    assert "[bold]mug & saucer" in text and "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert max(len(line) for line in to_text([Text("x " * 200)]).splitlines()) <= TEXT_WIDTH


def test_what_is_displayed_has_both_forms():
    shelf = Shelf()
    assert shelf._repr_html_() == "<p>Two &lt;things&gt;.</p>\n" + to_html([price_table()])
    assert repr(shelf).startswith("Two <things>.\n") and "lamp" in repr(shelf)
