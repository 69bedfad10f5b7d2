"""Answers as lists, tables of data and tables to look at."""

import pandas as pd

from tfrec.api.answers import Recommendation, Recommendations

MUG = Recommendation("m1", 0.25, "Mug <b>", 1234.5, "l1", "Lamp", {"purchase": 0.5, "return": 0.1})
LAMP = Recommendation("l1", 0.125, "Lamp", None, None, None, {"purchase": 0.2, "return": 0.0})


def test_it_is_like_a_list():
    answer = Recommendations([MUG, LAMP], "Found")
    assert len(answer) == 2 and list(answer) == [MUG, LAMP] and answer[1] is LAMP
    assert answer.item_ids == ["m1", "l1"]


def test_frame():
    frame = Recommendations([MUG, LAMP], "Found").to_frame()
    assert frame["item_id"].tolist() == ["m1", "l1"]
    assert frame["probability_return"].tolist() == [0.1, 0.0]
    assert pd.isna(frame.loc[1, "price"]) and frame.loc[0, "reason"] == "Lamp"
    assert "probabilities" not in frame


def test_table():
    html = Recommendations([MUG, LAMP], "Found", later={"l1"})._repr_html_()
    assert "Mug &lt;b&gt;" in html and "1,234.50" in html and "0.2500" in html
    for column in ("price", "score", "P(purchase)", "P(return)", "because of", "then"):
        assert f">{column}</th>" in html
    assert html.count("✓ bought") == 1 and "1 of 2 were bought later" in html


def test_columns_without_content_are_left_out():
    alone = Recommendation("l1", 0.125, "Lamp", probabilities={"purchase": 0.2})
    html = Recommendations([alone], "Found")._repr_html_()
    for column in ("P(purchase)", "because of", "then"):
        assert f">{column}</th>" not in html
    assert "</table>" in Recommendations([], "Nothing")._repr_html_()
