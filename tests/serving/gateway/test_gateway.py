"""The gateway end to end: both protocols, the history, the event log, the metrics."""

import json
import re

import pytest

from serving.gateway import messages


def moment(seconds):
    """Returns a Timestamp of the messages' own pool."""
    return messages.HistoryEvent(time={"seconds": seconds}).time


def test_a_click_changes_the_next_answer(gateway):
    assert gateway.recommended("ann", k=2) == ["A1", "A2"]  # New: place 0.
    answer = gateway.ask("RecordEvent", user_id="ann", item_id="C1", event="click")
    assert answer.recorded
    answer = gateway.ask("RecommendFor", user_id="ann", k=2)
    assert [item.item_id for item in answer.items] == ["C1", "B2"]  # Places 5, then 4 before 6.
    assert (answer.history_length, answer.degraded, answer.model) == (1, False, "recommender")
    first = answer.items[0]
    assert (first.title, first.price, first.reason_item_id) == ("candle", 0.99, "C1")
    assert first.probabilities == {"purchase": 0.5, "return": 0.25}


def test_rest_answers_as_grpc_does(gateway):
    response = gateway.post(
        "/v1/events",
        {"user_id": "bob", "item_id": "B1", "event": "view", "time": "2024-05-01T10:00:00.250Z"},
    )
    assert (response.status_code, response.json()) == (200, {"recorded": True})
    # The names of proto3's JSON mapping are read, too.
    repeated = {"userId": "bob", "itemId": "B1", "event": "view", "time": "2024-05-01T10:00:00.25Z"}
    assert gateway.post("/v1/events", repeated).json() == {"recorded": False}
    assert gateway.post("/v1/users:history", {"user_id": "bob"}).json() == {
        "events": [{"item_id": "B1", "event": "view", "time": "2024-05-01T10:00:00.250Z"}]
    }
    body = gateway.post("/v1/recommendations", {"user_id": "bob", "k": 1, "titles": False}).json()
    assert re.fullmatch(r"1-[0-9a-f]{16}", body.pop("recommendation_id"))
    assert body == {
        "items": [
            {
                "item_id": "B1",
                "score": 0.0,
                "title": "",
                "reason_item_id": "B1",
                "reason_title": "",
                "probabilities": {"purchase": 0.5, "return": 0.25},
            }
        ],
        "model": "recommender",
        "model_version": "1",
        "history_length": 1,
        "degraded": False,
    }


def test_a_batch_of_several_shoppers_keeps_its_order(gateway):
    events = [
        messages.ShopperEvent(user_id=user, item_id=item, event="view")
        for user, item in (("cid", "B1"), ("dan", "C1"), ("cid", "A1"))
    ]
    answer = gateway.ask("RecordEvents", events=events)
    assert (answer.recorded, answer.repeated) == (3, 0)
    kept = gateway.ask("GetHistory", user_id="cid").events
    assert [event.item_id for event in kept] == ["B1", "A1"]
    assert gateway.recommended("dan", k=1) == ["C1"]


def test_exclusions_context_model_and_events_of_the_request(gateway):
    history = [messages.HistoryEvent(item_id="A1", event="view", time=moment(10))]
    assert gateway.recommended("eve", history=history, k=2) == ["A1", "A2"]
    assert gateway.recommended("eve", history=history, k=2, exclude_item_ids=["A1"]) == ["A2", "B1"]
    assert gateway.recommended("", history=history, k=1, context={"country": "France"}) == ["A1"]
    answer = gateway.ask("RecommendFor", user_id="eve", model="retrieval", k=1)
    assert answer.model == "retrieval"


def test_only_unknown_items_are_a_new_shopper(gateway):
    gateway.ask("RecordEvent", user_id="fay", item_id="gone", event="view")
    before = gateway.metric("tfrec_gateway_unknown_items_total", model_version="1")
    assert gateway.recommended("fay", k=1) == ["A1"]
    assert gateway.metric("tfrec_gateway_unknown_items_total", model_version="1") == before + 1
    assert gateway.logged("recommendation")[-1]["history_unknown"] == 1


def test_erasing_leaves_no_trace(gateway):
    gateway.ask(
        "RecordEvent", user_id="gus", item_id="C1", event="click", time=moment(1_714_557_600)
    )
    gateway.ask("RecordEvent", user_id="gus", item_id="B1", event="impression")
    gateway.recommended("gus")
    user = gateway.logged("recommendation")[-1]["user"]
    lines = [line for line in gateway.logged() if line["user"] == user]
    assert [line["event"] for line in lines] == ["click", "impression", "recommendation"]
    others = len(gateway.logged()) - len(lines)
    answer = gateway.ask("EraseUser", user_id="gus")
    assert (answer.events, answer.log_lines) == (1, 3)
    assert not gateway.ask("GetHistory", user_id="gus").events
    for path in gateway.folder.rglob("*"):
        assert path.is_dir() or user.encode() not in path.read_bytes(), path
    assert len(gateway.logged()) == others
    # The log goes on in the rewritten segment.
    gateway.ask("RecordEvent", user_id="hal", item_id="A1", event="view")
    assert len(gateway.logged()) == others + 1
    assert gateway.recommended("gus", k=1) == ["A1"]


def test_the_event_log_joins_what_was_shown_with_what_came_of_it(gateway):
    shown = gateway.ask("RecommendFor", user_id="ida", k=2, variant="b")
    gateway.ask(
        "RecordEvent", user_id="ida", item_id=shown.items[1].item_id, event="click", position=2,
        recommendation_id=shown.recommendation_id, propensity=0.5, value=2.5, variant="b",
        time=moment(1_714_557_600),
    )  # fmt: skip
    served, click = gateway.logged()[-2:]
    assert served.pop("latency_ms") > 0
    assert served.pop("probabilities") == {
        event: [item.probabilities[event] for item in shown.items]
        for event in ("purchase", "return")
    }
    assert 0 <= click["received"] - served["received"] < 60
    assert abs(served["time"] - served["received"]) < 60
    for line in (served, click):
        del line["received"]
    user = click["user"]
    del served["time"]
    assert re.fullmatch("[0-9a-f]{16}", user)
    assert served == {
        "format": 1, "event": "recommendation", "user": user,
        "recommendation_id": shown.recommendation_id, "model": "recommender", "model_version": 1,
        "variant": "b", "item_ids": ["A1", "A2"], "scores": [-1.0, -2.0], "propensities": None,
        "history_length": 0, "history_unknown": 0, "degraded": False,
    }  # fmt: skip
    assert click == {
        "format": 1, "event": "click", "time": 1714557600.0, "user": user, "item_id": "A2",
        "recommendation_id": shown.recommendation_id, "model_version": 1, "position": 2,
        "propensity": 0.5, "value": 2.5, "variant": "b",
    }  # fmt: skip


def test_impressions_are_logged_and_not_remembered(gateway):
    gateway.ask("RecordEvent", user_id="jim", item_id="C1", event="impression", model_version=7)
    assert not gateway.ask("GetHistory", user_id="jim").events
    assert gateway.logged()[-1]["model_version"] == 7


def test_metrics_count_what_was_served(gateway):
    def count(name):
        return gateway.metric(f"tfrec_gateway_{name}_total", model_version="1")

    names = ("recommendations", "served_items", "empty_histories", "history_items")
    before = [count(name) for name in names]
    clicks = gateway.metric("tfrec_gateway_events_total", event="click", model_version="1")
    requests = gateway.metric("tfrec_gateway_requests_total", method="RecordEvent", code="OK")
    shown = gateway.ask("RecommendFor", user_id="kay", k=3)
    gateway.ask(
        "RecordEvent", user_id="kay", item_id="A1", event="click",
        recommendation_id=shown.recommendation_id,
    )  # fmt: skip
    gateway.ask("RecommendFor", user_id="kay", k=2)
    after = [count(name) for name in names]
    assert [a - b for a, b in zip(after, before, strict=True)] == [2, 5, 1, 1]
    labels = {"event": "click", "model_version": "1"}
    assert gateway.metric("tfrec_gateway_events_total", **labels) == clicks + 1
    labels = {"method": "RecordEvent", "code": "OK"}
    assert gateway.metric("tfrec_gateway_requests_total", **labels) == requests + 1
    assert gateway.metric("tfrec_gateway_request_seconds_count", method="RecommendFor") >= 2
    assert 2 <= gateway.metric("tfrec_gateway_distinct_items") <= 6
    assert gateway.metric("tfrec_gateway_top_items_share") == 1.0


def test_only_callers_with_a_key_are_answered(gateway):
    assert gateway.refusal("GetHistory", key=None, user_id="ann") == (
        "UNAUTHENTICATED",
        "there is no API key; send one as x-api-key",
    )
    code, text = gateway.refusal("EraseUser", key="guess", user_id="ann")
    assert (code, "guess" in text) == ("UNAUTHENTICATED", False)
    response = gateway.post("/v1/users:erase", {"user_id": "ann"}, key=None)
    assert response.status_code == 401
    assert response.json() == {
        "code": "UNAUTHENTICATED",
        "error": "there is no API key; send one as x-api-key",
    }


@pytest.mark.parametrize(
    ("method", "fields", "sentence"),
    [
        ("RecordEvent", {}, "user_id should have 1 to 512 bytes, not 0"),
        ("RecordEvent", {"user_id": "u" * 513}, "user_id should have 1 to 512 bytes, not 513"),
        ("RecordEvent", {"user_id": "u"}, "item_id should have 1 to 512 bytes"),
        ("RecordEvent", {"user_id": "u", "item_id": "A1", "event": "Big Deal"}, "event should be"),
        ("RecordEvent", {"user_id": "u", "item_id": "A1", "event": "recommendation"}, "not 'rec"),
        ("RecommendFor", {"k": -1}, "k should be between 1 and 1000, not -1"),
        ("RecommendFor", {"context": {"mood": "x"}}, "no context feature mood; it has country"),
        ("RecommendFor", {"exclude_item_ids": ["x"] * 1001}, "exclude_item_ids should have"),
        ("RecommendFor", {"variant": "x" * 65}, "variant should have at most 64"),
        ("RecordEvents", {}, "between 1 and 1000 events, not 0"),
        ("GetHistory", {"user_id": "u", "limit": -1}, "limit should not be negative"),
        ("EraseUser", {}, "user_id should have 1 to 512 bytes, not 0"),
    ],
)  # fmt: skip
def test_wrong_requests_are_refused_with_a_sentence(gateway, method, fields, sentence):
    code, text = gateway.refusal(method, **fields)
    assert code == "INVALID_ARGUMENT"
    assert sentence in text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"position": 0}, "position should be 1 or more"),
        ({"propensity": 0.0}, "propensity should be above 0"),
        ({"propensity": float("nan")}, "propensity should be above 0"),
        ({"value": float("nan")}, "value should be a finite number"),
        ({"model_version": -1}, "model_version should not be negative"),
        ({"recommendation_id": "1-xyz"}, "recommendation_id is none that RecommendFor gave"),
        ({"time": moment(4_000_000_000)}, "s in the future; check the clock"),
        ({"time": moment(-5)}, "between the years 1970 and 9999"),
    ],
)
def test_wrong_events_are_refused_and_a_batch_is_not_begun(gateway, fields, sentence):
    wrong = {"user_id": "lou", "item_id": "A1", "event": "view", **fields}
    code, text = gateway.refusal("RecordEvent", **wrong)
    assert (code, sentence in text) == ("INVALID_ARGUMENT", True), text
    good = messages.ShopperEvent(user_id="lou", item_id="A1", event="view")
    _, text = gateway.refusal("RecordEvents", events=[good, messages.ShopperEvent(**wrong)])
    assert text.startswith("events[1]: ")
    assert not gateway.ask("GetHistory", user_id="lou").events


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("/v1/recommendations", b"{", 400, "the body is no RecommendForRequest"),
        ("/v1/recommendations", b"[]", 400, "the body is no RecommendForRequest"),
        ("/v1/recommendations", b'{"user": "x"}', 400, 'no field named "user"'),
        ("/v1/recommendations", b"\xff", 400, "the body is no RecommendForRequest"),
        ("/v1/recommendations", b'{"k": "many"}', 400, "the body is no RecommendForRequest"),
        ("/v1/events", b'{"time": "now"}', 400, "the body is no ShopperEvent"),
        ("/v1/events", b"", 400, "user_id should have 1 to 512 bytes"),
        ("/v1/events:batch", b" " * (4 << 20) + b"{}", 400, "larger than 4 MiB"),
    ],
)
def test_wrong_bodies_are_refused_with_a_sentence(gateway, path, body, status, sentence):
    import httpx

    from tests.serving.gateway.conftest import KEY

    response = httpx.post(
        f"{gateway.url}{path}", content=body, headers={"x-api-key": KEY}, trust_env=False
    )
    assert response.status_code == status
    assert sentence in response.json()["error"]
    assert gateway.get("/healthz").json() == {"status": "ok"}


def test_the_openapi_page_describes_every_method(gateway):
    openapi = pytest.importorskip("openapi_spec_validator")
    schema = gateway.get("/openapi.json").json()
    openapi.validate(schema)
    posts = {path for path, item in schema["paths"].items() if "post" in item}
    assert posts == {method.rest_path for method in messages.METHODS}
    names = set(schema["components"]["schemas"])
    assert {"RecommendForRequest", "ShopperEvent", "EraseUserResponse", "Error"} <= names
    event = schema["components"]["schemas"]["ShopperEvent"]["properties"]
    assert event["time"]["format"] == "date-time"
    assert event["model_version"]["type"] == "string"
    assert "1 is the first" in event["position"]["description"]
    assert "swagger" in gateway.get("/docs").text.lower()


def test_health_is_told_by_both_protocols(gateway):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    stub = health_pb2_grpc.HealthStub(gateway.channel)
    for service in ("", messages.SERVICE):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert gateway.get("/readyz").status_code == 200


def test_log_lines_are_json_and_name_no_shopper(gateway):
    gateway.ask("RecordEvent", user_id="someone@example.com", item_id="A1", event="view")
    gateway.recommended("someone@example.com")
    gateway.refusal("RecordEvent", user_id="someone@example.com")
    gateway.post("/v1/recommendations", {"user_id": "someone@example.com", "k": "x"})
    lines = [json.loads(line) for line in gateway.log().splitlines()]
    last = lines[-1]
    assert last["method"] == "RecordEvent" and last["code"] == "INVALID_ARGUMENT"
    assert last["caller"] == "shop-1" and last["ms"] >= 0
    assert "item_id should have" in last["message"]
    assert "someone" not in gateway.log()
    user = gateway.logged("recommendation")[-1]["user"]
    assert user not in gateway.log()
    for path in gateway.folder.rglob("*"):
        assert path.is_dir() or b"someone@example.com" not in path.read_bytes(), path
