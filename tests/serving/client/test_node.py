"""The examples in Node.js, beside the Python client; they need ``npm ci`` in their folder."""

import json
import os
import shutil
import subprocess

import pytest

from tests.conftest import ROOT
from tests.serving.gateway.conftest import KEY, gateway, keys  # noqa: F401

FOLDER = ROOT / "docs/examples/node"


@pytest.fixture(scope="module")
def node():
    """Returns what runs a script and reads its answer."""
    program = shutil.which("node")
    if program is None or not (FOLDER / "node_modules/@grpc/grpc-js").is_dir():
        pytest.skip("needs Node.js, and `npm ci` in docs/examples/node")

    def run(script, *arguments, **environment):
        done = subprocess.run(
            [program, FOLDER / script, *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    return run


def test_recommend_answers_as_the_python_client_does(node, server, client):
    told = node("recommend.js", server.address, "B1,zz,A1", "3", "country=France")
    expected = client.recommend(["B1", "zz", "A1"], k=3, context={"country": "France"})
    assert told == [{"itemId": item.item_id, "score": item.score} for item in expected]
    new = node("recommend.js", server.address, "", "2", "country=")
    assert [item["itemId"] for item in new] == ["A1", "A2"]


def test_a_wrong_request_is_one_sentence(node, server):
    assert node("recommend.js", server.address, "A1").startswith("error: input size does not match")


def test_a_click_told_by_node_changes_the_next_answer(node, gateway):  # noqa: F811
    told = node("gateway.js", gateway.address, "node-shopper", "C1", API_KEY=KEY)
    assert told[0] == {"itemId": "C1", "title": "candle"}
    refused = node("gateway.js", gateway.address, "node-shopper", "C1", API_KEY="wrong")
    assert refused.startswith("error: the API key is not known")
