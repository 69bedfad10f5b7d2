"""Every question of both clients, message for message beside the official stubs."""

import asyncio
import inspect

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, predict_pb2

from serving.client import AsyncRecommenderClient, RecommenderClient
from tests.serving.client.recording import AsyncRecorder, Recorder

HISTORY = ["B1", "zz", "A1"]
EVENTS = ["view", "", "purchase"]
TIMES = [1, 2, 3]
# A blank event first: what the official server pads a history with when it batches.
HISTORY_INPUTS = {
    "history_item_id": [["", *HISTORY]],
    "history_event": [["", *EVENTS]],
    "history_timestamp": np.array([[0, *TIMES]], np.int64),
}
COUNTRY = {"context_country": ["France"]}
SHOPPER = HISTORY_INPUTS | COUNTRY
# Per question: the call, and the request that it should become.
QUESTIONS = {
    "recommend": (
        lambda client: client.recommend(
            HISTORY, EVENTS, TIMES, exclude=["C1"], context={"country": "France"}, titles=False
        ),
        ("recommender", "serving_default", SHOPPER | {"exclude_item_id": [["C1"]]}),
    ),
    "retrieval": (
        lambda client: client.recommend(
            HISTORY, EVENTS, TIMES, model="retrieval", titles=False, context={"country": "France"}
        ),
        ("retrieval", "serving_default", SHOPPER | {"exclude_item_id": [[""]]}),
    ),
    "surface": (
        lambda client: client.recommend(["B1"], surface="checkout", seed="visit 7", titles=False),
        (
            "recommender",
            "checkout",
            {
                "history_item_id": [["", "B1"]],
                "history_event": [["", ""]],
                "history_timestamp": np.array([[0, 0]], np.int64),
                "exclude_item_id": [[""]],
                "context_country": [""],
                "seed": ["visit 7"],
            },
        ),
    ),
    "search": (
        lambda client: client.search("red", HISTORY, EVENTS, TIMES, titles=False),
        ("retrieval", "search", HISTORY_INPUTS | {"context_country": [""], "query": ["red"]}),
    ),
    "filtered search": (
        lambda client: client.search(
            "red", categories=["Acme"], price_from=1, price_to=2.5, titles=False
        ),
        (
            "retrieval",
            "filtered_search",
            {
                "query": ["red"],
                "history_item_id": [[""]],
                "history_event": [[""]],
                "history_timestamp": np.array([[0]], np.int64),
                "context_country": [""],
                "filter_category": [["Acme"]],
                "filter_price_from": np.array([1], np.float32),
                "filter_price_to": np.array([2.5], np.float32),
                "include_sold_out": np.array([False]),
            },
        ),
    ),
    "similar": (
        lambda client: client.similar("Ü-ber", titles=False),
        ("retrieval", "similar", {"item_id": ["Ü-ber"]}),
    ),
    "cart": (
        lambda client: client.cart(["A1", "zz"], exclude=["B1"], titles=False),
        (
            "retrieval",
            "cart",
            {"basket_item_id": [["A1", "zz"]], "exclude_item_id": [["B1"]]},
        ),
    ),
    "home": (
        lambda client: client.home(
            HISTORY, EVENTS, TIMES, now=99, exclude=["C1"], context={"country": "France"}
        ),
        (
            "recommender",
            "home_page",
            SHOPPER | {"exclude_item_id": [["C1"]], "now": np.array([99], np.int64)},
        ),
    ),
    "buy again": (
        lambda client: client.buy_again(HISTORY, EVENTS, TIMES, titles=False),
        (
            "retrieval",
            "buy_again",
            HISTORY_INPUTS
            | {"exclude_item_id": [[""]], "now": np.array([0], np.int64), "context_country": [""]},
        ),
    ),
    "other categories": (
        lambda client: client.other_categories(HISTORY, EVENTS, TIMES, titles=False),
        (
            "retrieval",
            "other_categories",
            HISTORY_INPUTS | {"exclude_item_id": [[""]], "context_country": [""]},
        ),
    ),
    "campaign": (
        lambda client: client.campaign(["red mugs", "Käse"], HISTORY, EVENTS, TIMES),
        (
            "retrieval",
            "campaign",
            HISTORY_INPUTS
            | {
                "creative": [["red mugs", "Käse"]],
                "now": np.array([0], np.int64),
                "context_country": [""],
            },
        ),
    ),
    "rank": (
        lambda client: client.rank(HISTORY, ["C1", "A2"], EVENTS, TIMES),
        (
            "ranking",
            "serving_default",
            HISTORY_INPUTS | {"context_country": [""], "candidate_item_id": [["C1", "A2"]]},
        ),
    ),
    "describe": (
        lambda client: client.describe(["C1", "zz"]),
        ("retrieval", "describe", {"item_id": ["C1", "zz"]}),
    ),
    "embed": (
        lambda client: client.embed(HISTORY, EVENTS, TIMES, context={"country": "France"}),
        ("retrieval", "embed_query", SHOPPER),
    ),
    "embed_item": (
        lambda client: client.embed_item("mug", price=2.5, brand="x"),
        (
            "retrieval",
            "embed_item",
            {
                "title": ["mug"],
                "description": [""],
                "brand": ["x"],
                "categories": [""],
                "price": np.array([2.5], np.float32),
                "image_embedding": np.zeros([1, 2], np.float32),
            },
        ),
    ),
}  # fmt: skip


def ask(address, question):
    """Returns a blocking client's answer and its Predict call."""
    recorder = Recorder()
    with RecommenderClient(address, interceptors=[recorder]) as client:
        answer = question(client)
    return answer, next(call for call in recorder.calls if call[0] == "Predict")


def ask_async(address, question):
    """Returns an asynchronous client's answer and its Predict call."""
    recorder = AsyncRecorder()

    async def asking():
        async with AsyncRecommenderClient(address, interceptors=[recorder]) as client:
            return await question(client)

    answer = asyncio.run(asking())
    return answer, next(call for call in recorder.calls if call[0] == "Predict")


@pytest.mark.parametrize("name", QUESTIONS)
def test_requests_and_answers_are_those_of_the_official_stubs(server, stubs, name):
    question, (model, signature, inputs) = QUESTIONS[name]
    answer, (_, sent, received) = ask(server.address, question)
    request = predict_pb2.PredictRequest.FromString(sent.SerializeToString())
    assert (request.model_spec.name, request.model_spec.signature_name) == (model, signature)
    assert set(request.inputs) == set(inputs)
    for alias, value in inputs.items():
        expected = tf.make_ndarray(tf.make_tensor_proto(value))
        ours = tf.make_ndarray(request.inputs[alias])
        assert (ours.dtype, ours.tolist()) == (expected.dtype, expected.tolist()), alias
    official = stubs.predict(model, signature, **inputs)
    assert predict_pb2.PredictResponse.FromString(received.SerializeToString()) == official
    # The twin asks the same, is told the same, and says the same.
    twin, (_, twin_sent, twin_received) = ask_async(server.address, question)
    assert twin == answer
    assert twin_sent == sent
    assert twin_received == received


def test_states_are_those_of_the_official_stubs(server, stubs):
    recorder = Recorder()
    with RecommenderClient(server.address, interceptors=[recorder]) as client:
        versions = client.models(["kinds"])
    ((_, sent, received),) = recorder.calls
    request = get_model_status_pb2.GetModelStatusRequest.FromString(sent.SerializeToString())
    official = stubs.model.GetModelStatus(request, timeout=20)
    ours = get_model_status_pb2.GetModelStatusResponse.FromString(received.SerializeToString())
    assert ours == official
    assert [one.version for one in versions] == [
        one.version for one in official.model_version_status
    ]


def test_the_twins_have_the_same_methods():
    def methods(kind):
        return {
            name: inspect.signature(value)
            for name, value in vars(kind).items()
            if not name.startswith("_") and inspect.isfunction(value) and name != "close"
        }

    blocking, asynchronous = methods(RecommenderClient), methods(AsyncRecommenderClient)
    assert set(blocking) >= {"recommend", "rank", "search", "similar", "embed", "models"}
    assert blocking == asynchronous
    documented = (RecommenderClient.recommend, AsyncRecommenderClient.recommend)
    assert all("best first" in method.__doc__ for method in documented)
