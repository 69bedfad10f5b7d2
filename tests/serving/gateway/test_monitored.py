"""The monitor in front of a real server and a real gateway: their names are the ones it reads."""

import time

import pytest

from serving.client import RecommenderClient
from tfrec.monitoring.experiment.shoppers import read_shoppers
from tfrec.monitoring.live.config import load_monitor_config
from tfrec.monitoring.live.event_log import EventLogReader
from tfrec.monitoring.live.monitor import Monitor, Sources


@pytest.fixture
def monitor(server, gateway, tmp_path):
    pages = {
        "server": f"http://{server.rest_address}/monitoring/prometheus/metrics",
        "gateway": f"{gateway.url}/metrics",
    }
    with RecommenderClient(server.address) as client:
        made = Monitor(
            Sources(pages, client.models, gateway.folder / "events"),
            load_monitor_config(),
            tmp_path,
            [],
            started=time.time(),
        )
        yield made
        made.close()


def test_it_sees_requests_lists_and_clicks(monitor, gateway):
    monitor.look(time.time(), 0.0)
    before = monitor.figures.get("served/lists", 0)
    for number in range(10):
        user = f"watched-{number}"
        answer = gateway.ask("RecommendFor", user_id=user, k=2)
        if number < 5:
            gateway.ask(
                "RecordEvent",
                user_id=user,
                item_id=answer.items[0].item_id,
                event="click",
                recommendation_id=answer.recommendation_id,
            )
    monitor.look(time.time(), 10.0)
    figures = monitor.figures
    assert figures["server/up"] == figures["gateway/up"] == figures["versions/up"] == 1
    assert figures["versions/recommender/available"] >= 1
    assert figures["server/requests_per_second/recommender/OK"] >= 1
    assert 0 < figures["server/request_latency_ms/recommender/p50"] < 60_000
    assert 0 < figures["server/runtime_latency_ms/recommender/p99"] < 60_000
    assert figures["gateway/requests/OK/RecommendFor/per_second"] == pytest.approx(1)
    assert figures["gateway/request_seconds/RecommendFor/p50"] > 0
    assert figures["served/lists"] - before == 10
    assert figures["served/empty_history_share"] > 0
    assert figures["online/1/click_rate"] > 0
    assert figures["log/bad_lines"] == 0


def test_every_line_of_the_gateway_is_read(gateway):
    gateway.recommended("read-out")
    reader = EventLogReader(gateway.folder / "events")
    lines = list(reader.read())
    assert len(lines) == len(gateway.logged()) > 0
    assert reader.bad_lines == 0


def test_variants_reach_the_read_out(gateway):
    for number in range(6):
        gateway.ask("RecommendFor", user_id=f"arm-{number}", variant="old" if number % 2 else "new")
    found = read_shoppers(
        EventLogReader(gateway.folder / "events").read(), "old", "new", by="variant"
    )
    assert len(found.table) >= 4 and set(found.table["arm"]) == {0, 1}
