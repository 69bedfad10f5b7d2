"""`tfrec explain`: asks a server with one item after the other left out."""

import json

import pytest
from click.testing import CliRunner

from pipelines import explain
from serving.client import Item, Recommendation, Recommendations
from tfrec.errors import UserError

WORTH = {"a": 0.3, "b": 0.1}


class ScriptedClient:
    """Scores an item by the sum of what the items of the history are worth."""

    def recommend(self, items, events, *, k):
        best = [Recommendation("z", 0.5, reason_words=("red",)), Recommendation("y", 0.4)]
        return Recommendations(tuple(best) if items else (), "recommender", 1)

    def describe(self, names):
        return [Item(name, name.upper(), None, name in "abyz") for name in names]

    def rank(self, history, candidates, events):
        score = sum(WORTH.get(item, 0.0) for item in set(history)) + 0.1
        return Recommendations((Recommendation(candidates[0], score),), "ranking", 1)


def test_every_item_is_left_out_in_turn():
    found = explain.explain_with(ScriptedClient(), None, ["a", "nope", "b", "a"], None)
    assert (found.item_id, found.title, found.words) == ("z", "Z", ["red"])
    assert found.score == pytest.approx(0.5)
    effects = {one.item_id: one.effect for one in found.influences}
    assert effects == pytest.approx({"a": 0.3, "b": 0.1})


def test_another_item_may_be_named():
    found = explain.explain_with(ScriptedClient(), "y", ["a"], ["view"])
    assert found.item_id == "y" and found.words == []
    assert found.influences[0].event == "view"
    with pytest.raises(UserError, match="the item q is not in the catalogue"):
        explain.explain_with(ScriptedClient(), "q", ["a"], None)
    with pytest.raises(UserError, match="recommends nothing to this history"):
        explain.explain_with(ScriptedClient(), None, [], None)


@pytest.fixture
def asked(monkeypatch):
    class Ask:
        def __init__(self, *_):
            pass

        def __enter__(self):
            return ScriptedClient()

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(explain, "ask", Ask)


def test_it_prints_and_draws(asked, tmp_path):
    image = tmp_path / "why.png"
    arguments = ["--server", "x:1", "--history", "a,b", "--image", str(image)]
    done = CliRunner().invoke(explain.command, arguments, catch_exceptions=False)
    assert "Most of all because of “A”" in done.stdout
    assert image.read_bytes().startswith(b"\x89PNG")
    arguments = ["--server", "x:1", "--history", "a,b", "--json"]
    done = CliRunner().invoke(explain.command, arguments, catch_exceptions=False)
    document = json.loads(done.stdout)
    assert document["words"] == ["red"] and len(document["influences"]) == 2


@pytest.mark.parametrize("arguments, message", [
    (["--history", "a"], "give either --server HOST:PORT or --run DIR"),
    (["--server", "x:1", "--run", "y", "--history", "a"], "give either"),
    (["--server", "x:1", "--history", "a,b", "--events", "view"], "one entry an item: 2, not 1"),
    (["--server", "x:1", "--history", "a", "--image", "why.xyz"], "ends in .png, .svg or .pdf"),
])  # fmt: skip
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        CliRunner().invoke(
            explain.command, arguments, catch_exceptions=False, standalone_mode=False
        )
