"""Clients that never ask or never read cost other clients nothing."""

import re
import time
import urllib.request

import pytest

from benchmarks.rude_clients import idle_connections, slow_reader
from serving.client import RecommenderClient
from serving.client.connection import Settings
from serving.loadtest.shoppers import Shopper
from serving.loadtest.target import Target
from serving.process import start_server
from tests.serving.deploy.conftest import DEPLOY


@pytest.fixture(scope="module")
def watched(models):
    """A server whose metrics can be read."""
    monitoring = f"--monitoring_config_file={DEPLOY / 'monitoring.config'}"
    with start_server(models, rest_port=0, flags=(monitoring,)) as process:
        yield process


def handled(watched):
    """How many requests for recommendations the server has answered."""
    url = f"http://{watched.rest_address}/monitoring/prometheus/metrics"
    with urllib.request.urlopen(url, timeout=10) as page:
        text = page.read().decode()
    pattern = r'request_count{model_name="recommender",status="OK"} (\S+)'
    return int(float(found[1])) if (found := re.search(pattern, text)) else 0


def answers(address):
    with RecommenderClient(address, retries=0) as client:
        return [item.item_id for item in client.recommend(["A1"], titles=False)]


def test_connections_that_never_ask_keep_nobody_out(watched):
    expected = answers(watched.address)
    # More than there are threads to answer with.
    with idle_connections(watched.address, 100) as count:
        assert count == 100
        assert answers(watched.address) == expected


def test_a_reader_of_nothing_blocks_nobody(watched):
    with Target(Settings(watched.address)) as target:
        (call,) = target.prepare([Shopper(("A1",))], {"recommend": 1.0}, count=1)
    expected, before = answers(watched.address), handled(watched)
    with slow_reader(watched.address, call.request, 50):
        # All fifty are computed, and their answers wait for a reader.
        deadline = time.monotonic() + 20
        while handled(watched) < before + 50:
            assert time.monotonic() < deadline, "the requests did not arrive"
            time.sleep(0.05)
        assert answers(watched.address) == expected
