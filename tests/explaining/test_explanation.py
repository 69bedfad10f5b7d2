import pytest

from tfrec.explaining.explanation import MOST_ITEMS, Explanation, tried_items

TITLES = {"a": "Mug", "b": "Lamp [bold]", "c": "Cup $5"}
HISTORY = [("a", "view", ""), ("b", "purchase", "2011-11-03"), ("a", "purchase", "2011-11-04")]


def explained(**changes):
    given = {"a": 0.2, "b": 0.45} | changes
    return Explanation.of("c", HISTORY, given, 0.4, TITLES, ["cup", "red"])


def test_what_moved_the_score_furthest_comes_first():
    found = explained()
    first, second = found.influences
    assert (first.item_id, first.title, first.event, first.date) == (
        "a",
        "Mug",
        "purchase",
        "2011-11-04",
    )
    assert (first.without, first.effect) == (0.2, pytest.approx(0.2))
    assert (second.item_id, second.effect) == ("b", pytest.approx(-0.05))


def test_the_sentence_can_be_read():
    assert explained().sentence == (
        "“Cup $5” scores 0.4000. Most of all because of"
        " “Mug” (purchase, 2011-11-04): without it the score would be 0.2000, 50% lower."
        " Against it speaks “Lamp [bold]” (purchase, 2011-11-03): without it the score would be"
        " 12% higher. Of its text, “cup” and “red” speak for it."
    )
    alone = Explanation.of("c", [], {}, 0.4, TITLES, ["cup"])
    assert "without a history" in alone.sentence
    assert alone.sentence.endswith("Of its text, “cup” speaks for it.")
    assert "as a whole" in explained(a=0.4001, b=0.4).sentence


def test_earlier_orders_of_the_item_itself_are_many():
    own = Explanation.of("a", [("a", "", "")], {"a": 0.1}, 0.4, TITLES)
    assert "because of its own earlier orders: without them the score" in own.sentence
    against = Explanation.of("a", [("a", "", "")], {"a": 0.5}, 0.4, TITLES)
    assert "Against it speak its own earlier orders: without them the score" in against.sentence


def test_the_picture_has_a_bar_an_item():
    figure = explained().figure()
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([-0.05, 0.2])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["Lamp [bold]", "Mug"]
    assert "cup, red" in axes.get_xlabel() and r"\$5" in axes.get_title(loc="left")
    assert Explanation.of("c", [], {}, 0.4, TITLES).figure().axes


def test_the_items_of_the_last_events_are_tried():
    assert tried_items(["a", "b", "x", "a", ""], {"a", "b"}) == ["b", "a"]
    many = [str(place) for place in range(MOST_ITEMS + 5)]
    assert tried_items(many, set(many)) == many[5:]
