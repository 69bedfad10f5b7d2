import json

import pytest

from serving.errors import InvalidRequestError
from serving.loadtest.shoppers import Shopper, read_shoppers

ANN = Shopper(("a", "b", "c"), ("view", "view", "buy"), (1, 2, 3), {"country": "NL"})


@pytest.fixture
def write(tmp_path):
    def written(*rows):
        path = tmp_path / "lines"
        texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        return path

    return written


def test_all_fields_and_the_least_are_read(write):
    path = write(
        {
            "history": ["a", "b", "c"],
            "events": ["view", "view", "buy"],
            "timestamps": [1, 2, 3],
            "context": {"country": "NL"},
        },
        {"history": ["Ü"]},
        {"history": []},
    )
    assert read_shoppers(path) == [ANN, Shopper(("Ü",)), Shopper(())]


def test_the_latest_events_are_the_last_of_every_list():
    assert ANN.latest(2) == Shopper(("b", "c"), ("view", "buy"), (2, 3), {"country": "NL"})
    assert ANN.latest(9) == ANN
    assert ANN.latest(0) == Shopper((), (), (), {"country": "NL"})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("", "line 2 is no JSON object"),
        ("{", "line 2 is no JSON object"),
        ("[]", "line 2 should be an object such as"),
        ({"items": ["a"]}, "line 2 should be an object such as"),
        ({"history": ["a"], "event": ["x"]}, "line 2 has the unknown field event; known are hist"),
        ({"history": "a"}, "line 2: history should be a list of texts"),
        ({"history": [1]}, "line 2: history should be a list of texts"),
        ({"history": ["a"], "timestamps": [1.5]}, "timestamps should be a list of whole numbers"),
        ({"history": ["a"], "timestamps": [True]}, "timestamps should be a list of whole numbers"),
        ({"history": ["a"], "events": []}, "events should have one entry an item of the history"),
        ({"history": ["a"], "context": {"country": 1}}, "context should be an object of texts"),
    ],
)
def test_a_wrong_line_is_named(write, row, message):
    with pytest.raises(InvalidRequestError, match=message):
        read_shoppers(write({"history": []}, row))


def test_a_file_that_cannot_be_read_is_explained(tmp_path, write):
    with pytest.raises(InvalidRequestError, match=r"No such file .* `tfrec data histories`"):
        read_shoppers(tmp_path / "missing")
    with pytest.raises(InvalidRequestError, match="there is no history in"):
        read_shoppers(write())
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidRequestError, match="is not UTF-8 text"):
        read_shoppers(tmp_path / "binary")
