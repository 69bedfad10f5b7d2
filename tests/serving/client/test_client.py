import json
import time

import pytest
import tensorflow as tf

from serving import errors, tensors
from serving.client import Item, ModelVersion, Recommendation, RecommenderClient, calls
from serving.process import free_port


def ids(answer):
    return [item.item_id for item in answer]


def test_recommend_tells_titles_prices_reason_and_probabilities(client):
    first, second = client.recommend(["B1", "A1"], k=2)
    # Places 3 and 1: the mean is 2, where A2 stands.
    assert first == Recommendation(
        item_id="A2",
        score=0.0,
        title="blue mug",
        price=2.5,
        reason_item_id="A1",
        reason_title="red mug",
        probabilities={"purchase": 0.5, "return": 0.25},
    )
    assert (second.item_id, second.score) == ("A1", -1.0)


def test_an_empty_history_is_a_new_shopper(client):
    assert ids(client.recommend([], k=2)) == ["A1", "A2"]


def test_a_surface_has_an_order_of_its_own(client):
    usual = ids(client.recommend(["B1"], k=6))
    assert ids(client.recommend(["B1"], k=6, surface="checkout")) == usual[::-1]
    with pytest.raises(errors.ModelMissingError, match="no signature basement"):
        client.recommend(["B1"], surface="basement")
    with pytest.raises(errors.InvalidRequestError, match="ask the model recommender"):
        client.recommend(["B1"], surface="checkout", model="retrieval")


def test_excluded_items_are_not_recommended(client):
    assert ids(client.recommend(["A1"], exclude=["A1", "B1"], k=3)) == ["A2", "B2", "C1"]


def test_padding_in_an_answer_is_dropped(client):
    answer = client.recommend(["A1"], exclude=["A1", "A2", "B1", "B2"], model="retrieval")
    assert ids(answer) == ["C1", "Ü-ber"]


def test_unknown_items_in_a_history_are_skipped(client):
    assert ids(client.recommend(["zz", "B1", "A1"], k=1)) == ["A2"]


def test_a_history_of_unknown_items_only_is_an_error(client):
    with pytest.raises(errors.UnknownItemError, match=r"none of the 2 items \(q, w\) is in"):
        client.recommend(["q", "w"])


def test_context_features_are_sent_by_name(client):
    assert client.recommend(["A1"], context={"country": "France"}, k=1)
    with pytest.raises(errors.InvalidRequestError, match="no context feature mood; it has country"):
        client.recommend(["A1"], context={"mood": "good"})


def test_search_similar_and_rank(client):
    assert ids(client.search("red", k=2)) == ["A1", "B1"]
    assert ids(client.similar("A1", k=2)) == ["A2", "B1"]
    ranked = client.rank(["A1"], ["C1", "A2", "zz"])
    assert [(item.item_id, item.score) for item in ranked] == [
        ("A2", -1.0),
        ("C1", -4.0),
        ("zz", -100.0),
    ]


def test_similar_to_an_unknown_item_is_an_error(client):
    with pytest.raises(errors.UnknownItemError, match="the item zz is not in the catalogue"):
        client.similar("zz")


def test_describe_tells_known_from_unknown(client):
    assert client.describe(["C1", "zz", "Ü-ber"]) == [
        Item("C1", "candle", 0.99, True),
        Item("zz", None, None, False),
        Item("Ü-ber", "Käse 起司", None, True),
    ]
    assert client.describe([]) == []


def test_vectors(client):
    assert client.embed(["A1"]) == [0.0, -1.0, -2.0]
    assert client.embed_item("four", price=2.5, brand="x") == [4.0, 2.5]
    assert client.embed_item("four", price=2.5, image_embedding=[1.0, 2]) == [4.0, 5.5]
    with pytest.raises(errors.InvalidRequestError, match="reads no column colour; it reads brand"):
        client.embed_item("four", colour="red")


@pytest.mark.parametrize("vector", [[1.0], [1.0, 2.0, 3.0], [1.0, float("nan")], ["a", "b"], "ab"])
def test_a_vector_that_is_none(client, vector):
    with pytest.raises(errors.InvalidRequestError, match="image_embedding should be a list of 2 n"):
        client.embed_item("four", image_embedding=vector)


def test_a_text_that_is_none(client):
    with pytest.raises(errors.InvalidRequestError, match=r"brand should be a text, not \[1.0\]"):
        client.embed_item("four", brand=[1.0])


def test_models_lists_versions_of_served_models(client):
    assert client.models(("recommender", "nobody", "ranking")) == [
        ModelVersion("recommender", 1, "available"),
        ModelVersion("ranking", 1, "available"),
    ]


def test_answers_are_those_of_the_official_stubs(client, stubs):
    outputs = stubs.predict(
        "recommender",
        history_item_id=[["B1", "zz", "A1"]],
        history_event=[["view", "", "purchase"]],
        history_timestamp=tf.constant([[1, 2, 3]], tf.int64).numpy(),
        exclude_item_id=[["C1"]],
        context_country=["France"],
    ).outputs
    answer = client.recommend(
        ["B1", "zz", "A1"],
        ["view", "", "purchase"],
        [1, 2, 3],
        exclude=["C1"],
        context={"country": "France"},
        titles=False,
    )
    expected = tf.make_ndarray(outputs["item_id"])[0].tolist()
    assert [item.item_id.encode() for item in answer] == expected
    assert [item.score for item in answer] == tf.make_ndarray(outputs["score"])[0].tolist()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda client: client.recommend(["A1"], k=0), "k should be a positive integer, not 0"),
        (lambda client: client.search("  "), "the query is empty"),
        (lambda client: client.recommend("A1"), "should be a list of item ids, not the text 'A1'"),
        (
            lambda client: client.recommend(["A1", "A2"], ["view"]),
            "events should have one entry an item of the history: 2, not 1",
        ),
        (
            lambda client: client.recommend(["A1"], timestamps=[1, 2]),
            "timestamps should have one entry an item of the history: 1, not 2",
        ),
        (lambda client: client.rank(["A1"], []), "there is no candidate to rank"),
        (lambda client: client.rank(["A1"], "B1"), "candidates should be a list of item ids"),
        (lambda client: client.recommend(["A1"], exclude="B1"), "exclude should be a list of"),
        (lambda client: client.cart(["A1"], exclude="B1"), "exclude should be a list of item ids"),
        (lambda client: client.describe("A1"), "what to describe should be a list of item ids"),
        (lambda client: client.recommend([22423]), "should be texts, such as '22423', not 22423"),
        (lambda client: client.cart([None]), "should be texts, not None"),
        (lambda client: client.embed_item("mug", price="5"), "a price should be a number, not '5'"),
        (lambda client: client.recommend(["A1"], context={"country": 3}), "such as '3', not 3"),
        (lambda client: client.recommend(["A1"], timestamps=["2011"]), "whole unix seconds, one"),
        (lambda client: client.recommend(["A1"], timestamps=[2**63]), "whole unix seconds, one"),
        (lambda client: client.recommend(["A1"], k=2.5), "a positive integer, not 2.5"),
        (lambda client: client.search(None), "query should be a text, not None"),
        (lambda client: client.search("a \ud800"), "cannot be sent as UTF-8"),
        (lambda client: client.search("mug", price_to="5"), "price_to should be a number, not '5'"),
        (lambda _: RecommenderClient("localhost"), "should be HOST:PORT"),
    ],
)
def test_wrong_arguments_are_said_before_anything_is_sent(client, call, sentence):
    with pytest.raises(errors.InvalidRequestError, match=sentence):
        call(client)


def test_a_server_that_is_down_is_said_so():
    address = f"127.0.0.1:{free_port()}"
    with (
        RecommenderClient(address, retries=1) as client,
        pytest.raises(errors.ServerUnreachableError, match=f"no model server answers at {address}"),
    ):
        client.recommend(["A1"])


def test_a_missing_model_is_named(client):
    with pytest.raises(errors.ModelMissingError, match="does not serve the model nobody"):
        client.recommend(["A1"], model="nobody")


def test_a_deadline_is_kept(client):
    forever = {"loops": tensors.make(tensors.DT_INT32, [], [2**31 - 1])}
    with pytest.raises(errors.DeadlineError, match="did not answer"):
        client._connection.run(calls.predict("kinds", "slow", forever, time.monotonic() + 0.2))


def test_the_client_costs_neither_tensorflow_nor_time(run_python):
    code = (
        "import time, json, sys; start = time.process_time(); import serving.client; "
        "seconds = time.process_time() - start; import psutil; print(json.dumps({"
        "'seconds': seconds, 'megabytes': psutil.Process().memory_info().rss / 2**20, "
        "'modules': [m for m in ('tensorflow', 'tfrec', 'numpy', 'keras') if m in sys.modules]}))"
    )
    runs = [json.loads(run_python("-c", code).stdout) for _ in range(3)]
    assert runs[0]["modules"] == []
    assert min(run["megabytes"] for run in runs) < 60
    assert min(run["seconds"] for run in runs) < 0.3


def test_a_proxy_in_the_environment_is_not_asked_for_this_machine(server, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    port = server.address.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost"):
        with RecommenderClient(f"{host}:{port}", retries=0) as client:
            assert ids(client.recommend([], k=1)) == ["A1"]
