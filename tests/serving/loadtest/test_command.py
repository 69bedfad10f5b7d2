"""`python -m serving.loadtest` against a server."""

import json

import pytest

from serving.client.connection import Connection, Settings
from serving.client.operations import Operations
from serving.errors import InvalidRequestError
from serving.loadtest.mix import parse_mix, prepare_calls
from serving.loadtest.shoppers import Shopper
from serving.loadtest.target import Target
from serving.process import free_port
from tests.serving.tiny_models import ITEMS

SHOPPERS = [Shopper(ITEMS[:2]), Shopper((ITEMS[4],), ("buy",), (5,), {"country": "NL"})]


@pytest.fixture
def histories(tmp_path):
    rows = [{"history": ["A1", "A2"]}, {"history": ["C1"], "context": {"country": "NL"}}]
    path = tmp_path / "histories.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture
def loadtest(run_python, server, histories):
    def run(*options, address=server.address):
        given = ("--server", address, "--histories", str(histories), "--warmup", "0.2")
        return run_python("-m", "serving.loadtest", *given, *options)

    return run


def test_an_open_loop_asks_the_mix_and_prints_json(loadtest):
    mix = "recommend=4,rank=2,search=1,similar=1"
    done = loadtest("--rate", "100", "--duration", "1", "--mix", mix, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert set(summary["kinds"]) == {"recommend", "rank", "search", "similar"}
    total = summary["total"]
    # A hundred are due in the second that counts, give or take what chance does.
    assert 60 <= total["requests"] <= 140
    assert total["codes"] == {"OK": total["requests"]}
    assert total["versions"] == {"1": total["requests"]}
    assert 0 < total["latency"]["p50"] <= total["latency"]["p99"] <= total["latency"]["max"]


def test_a_closed_loop_prints_a_table(loadtest):
    done = loadtest("--clients", "2", "--duration", "0.5", "--history-length", "1")
    assert done.returncode == 0, done.stderr
    assert "2 clients in turn" in done.stdout
    assert "recommend" in done.stdout
    assert "errors:" not in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give either --rate, for an open loop, or --clients, for a closed one"),
        (("--rate", "1", "--clients", "1"), "give either --rate"),
        (("--rate", "1", "--mix", "browse"), "a mix names each of recommend, rank, search, simi"),
        (("--rate", "1", "--tls-ca", "missing.pem"), "cannot read missing.pem, given as ca"),
        (("--rate", "1", "--histories", "missing"), "cannot read the histories file missing"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_2(loadtest, options, message):
    done = loadtest(*options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_server_that_is_not_there_is_a_mistake_too(loadtest):
    done = loadtest("--rate", "1", address=f"localhost:{free_port()}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no model server answers at localhost" in done.stderr


def test_it_loads_no_tensorflow(run_python):
    done = run_python("-c", "import serving.loadtest.command, sys; print(*sys.modules)")
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "serving" in loaded
    assert not loaded & {"tfrec", "tensorflow", "numpy", "pandas"}


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("recommend", {"recommend": 1.0}),
        ("recommend=3, rank=1", {"recommend": 0.75, "rank": 0.25}),
        ("search,similar", {"search": 0.5, "similar": 0.5}),
    ],
)
def test_shares_of_a_mix_add_up_to_one(text, shares):
    assert parse_mix(text) == shares


@pytest.mark.parametrize("text", ["", "rank,rank", "rank=x", "rank=0", "rank=-1", "rank=inf", "b"])
def test_a_wrong_mix_is_explained(text):
    with pytest.raises(InvalidRequestError, match=r"a mix names each|should be positive"):
        parse_mix(text)


def test_requests_are_those_that_the_client_would_send(server):
    operations = Operations(server.address, 10.0)
    with Target(Settings(server.address, retries=0)) as target:
        connection = Connection(Settings(server.address))
        calls = prepare_calls(
            connection, operations, SHOPPERS, parse_mix("recommend,similar"), count=40, seed=1
        )
        again = target.prepare(SHOPPERS, parse_mix("recommend,similar"), count=40, seed=1)
        answers = {call.request: target.send(call.request).result() for call in calls}
        expected = {
            tuple(item.item_id for item in connection.run(operation).items)
            for operation in (
                *(operations.recommend(s.history, context=s.context) for s in SHOPPERS),
                *(operations.similar(item) for item in (*ITEMS[:2], ITEMS[4])),
            )
        }
        connection.close()
    assert [call.kind for call in calls] == [call.kind for call in again]
    found = {
        tuple(item.decode() for item in answer.outputs["item_id"].string_val if item)
        for answer in answers.values()
    }
    assert found == expected


def test_empty_histories_can_only_be_recommended_to(server):
    with Target(Settings(server.address)) as target:
        assert len(target.prepare([Shopper(())], {"recommend": 1.0}, count=3)) == 3
        with pytest.raises(InvalidRequestError, match="every history is empty"):
            target.prepare([Shopper(())], {"similar": 1.0})
