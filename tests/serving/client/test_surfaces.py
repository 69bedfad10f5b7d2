"""Home pages, repeat purchases and campaigns, as the client answers with them."""

import pytest

from serving.client import RecommenderClient
from serving.errors import InvalidRequestError, UnknownItemError


@pytest.fixture
def client(server):
    with RecommenderClient(server.address) as client:
        yield client


def test_a_page_has_its_shelves_with_names_and_reasons(client):
    page = client.home(["zz", "A2"])
    assert [(shelf.kind, shelf.state, shelf.fillers) for shelf in page] == [
        ("for_you", "full", 0),
        ("because_of", "filled", 1),
        ("buy_again", "left_out", 0),
    ]
    assert [[item.item_id for item in shelf.items] for shelf in page] == [
        ["A2", "A1"],
        ["B1", "B2"],
        [],
    ]
    because = page[1]
    assert (because.reason_item_id, because.reason_title) == ("A2", "blue mug")
    # What fills a gap is not there because of the item.
    assert [item.reason_item_id for item in because.items] == ["A2", None]
    assert because.items[0].title == "red plate" and because.items[0].price == 3.0
    assert page.unknown == ("zz",)
    assert [item.item_id for item in page.items] == ["A2", "A1", "B1", "B2"]
    assert (page.model, page.version, len(page), len(page[:2])) == ("recommender", 1, 3, 2)


def test_a_page_without_names_is_one_call(client):
    page = client.home(["A2"], titles=False)
    assert page[1].reason_item_id == "A2" and page[1].reason_title is None
    assert all(item.title is None for item in page.items)


def test_who_has_done_nothing_has_a_page_and_who_is_not_understood_has_none(client):
    assert [item.item_id for item in client.home([]).items][:2] == ["A1", "A2"]
    with pytest.raises(UnknownItemError, match="zz is not in the catalogue"):
        client.home(["zz"])
    assert client.home(["zz"], strict=False).unknown == ("zz",)


def test_what_is_bought_again_has_its_days(client):
    answer = client.buy_again(["A1"], now=10, k=2)
    assert [(item.interval_days, item.due_in_days) for item in answer] == [
        (10.5, -10.0),
        (11.5, -11.0),
    ]
    assert client.recommend(["A1"])[0].interval_days is None


def test_other_categories_are_named(client):
    assert client.other_categories(["A1"], k=1)[0].title == "Käse 起司"


def test_every_creative_has_a_probability(client):
    found = client.campaign(["mug", "Käse!"], ["A1"])
    assert found == pytest.approx([0.03, 0.05])


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda client: client.campaign([], ["A1"]), "a creative is empty"),
        (lambda client: client.campaign(["x", " "], ["A1"]), "a creative is empty"),
        (lambda client: client.campaign("mugs", ["A1"]), "a list of texts, not the text 'mugs'"),
        (lambda client: client.home("A1"), "a list of item ids, not the text 'A1'"),
        (lambda client: client.campaign([7], ["A1"]), "should be texts, such as '7', not 7"),
        (lambda client: client.home(["A1"], now=-1), "now should be a unix time in seconds"),
        (lambda client: client.home(["A1"], now="today"), "in seconds, not 'today'"),
        (lambda client: client.buy_again(["A1"], timestamps=[1, 2]), "timestamps should have one"),
        (lambda client: client.buy_again(["A1"], k=0), "k should be a positive integer"),
    ],
)
def test_wrong_questions_are_told(client, ask, sentence):
    with pytest.raises(InvalidRequestError, match=sentence):
        ask(client)
