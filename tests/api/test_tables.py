"""Tables of data: texts left, numbers right."""

import numpy as np
import pandas as pd

import tfrec

FRAME = pd.DataFrame(
    {"title": ["Mug", "Lamp"], "sold": [1200, 3], "price": [1.5, np.nan], "new": [True, False]}
)


def test_alignment_and_numbers():
    html = tfrec.tabulate(FRAME, "Stock", digits=1)._repr_html_()
    assert ">Stock</caption>" in html
    assert '<td style="text-align: left">Mug</td>' in html
    assert '<td style="text-align: right">1,200</td>' in html
    assert '<td style="text-align: right">1.5</td>' in html
    assert '<td style="text-align: right"></td>' in html
    assert '<td style="text-align: left">True</td>' in html
    assert html.count("<th ") == 4


def test_named_rows_are_shown():
    text = repr(tfrec.tabulate(FRAME.set_index("title")))
    assert text.split()[:4] == ["title", "sold", "price", "new"] and "Lamp" in text
    unnamed = FRAME.set_index(pd.Index(["a", "b"]))
    assert "a   Mug" in repr(tfrec.tabulate(unnamed))
