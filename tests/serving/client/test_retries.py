"""Retries, their budget, and codes made sentences, on a server that answers as it is told."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from serving import errors
from serving.child_process import package_environment
from serving.client import RecommenderClient
from serving.process import free_port
from tests.serving.client.scripted import ScriptedServer


@pytest.fixture
def scripted():
    with ScriptedServer() as server:
        yield server


UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def test_an_unavailable_server_is_asked_again(scripted):
    scripted.script = [UNAVAILABLE, UNAVAILABLE]
    with RecommenderClient(scripted.address) as client:
        assert client.models(["m"])[0].version == 7
    assert scripted.asked == 3


def test_it_is_asked_no_more_often_than_was_said(scripted):
    scripted.script = [UNAVAILABLE] * 9
    with RecommenderClient(scripted.address, retries=2) as client:
        with pytest.raises(errors.ServerUnreachableError):
            client.models(["m"])
        assert scripted.asked == 3
    with RecommenderClient(scripted.address, retries=0) as client:
        with pytest.raises(errors.ServerUnreachableError):
            client.models(["m"])
        assert scripted.asked == 4


def test_a_spent_budget_leaves_first_attempts_only(scripted):
    scripted.script = [UNAVAILABLE] * 100
    with RecommenderClient(scripted.address, retries=1, retry_budget=2) as client:
        for _ in range(8):
            with pytest.raises(errors.ServerUnreachableError):
                client.models(["m"])
    # Four tokens; every failure costs one, and nothing is retried from two left on: the first
    # question is asked twice, and then each is asked once.
    assert scripted.asked == 9


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        ("DEADLINE_EXCEEDED", errors.DeadlineError, "did not answer in time"),
        ("INTERNAL", errors.ServerFaultError, "the model m at .* failed with INTERNAL: as told"),
        ("INVALID_ARGUMENT", errors.InvalidRequestError, "rejected the request: as told"),
        ("FAILED_PRECONDITION", errors.ModelMissingError, "cannot answer this kind of question"),
        ("UNIMPLEMENTED", errors.ServerUnreachableError, "is no model server"),
        ("PERMISSION_DENIED", errors.AccessError, "check the key or the certificate"),
        ("UNAUTHENTICATED", errors.AccessError, "check the key or the certificate"),
        ("RESOURCE_EXHAUSTED", errors.OverloadedError, "has too much to do"),
        ("ABORTED", errors.ServerFaultError, "failed with ABORTED"),
    ],
)
def test_other_failures_are_said_at_once(scripted, code, kind, sentence):
    scripted.script = [grpc.StatusCode[code]]
    with RecommenderClient(scripted.address) as client:
        with pytest.raises(errors.ClientError, match=sentence) as caught:
            # A missing model is left out of the list, so the question is asked directly.
            client._connection.run(_status("m"))
        assert type(caught.value) is kind
    assert scripted.asked == 1


def _status(model):
    from serving.client import calls

    return calls.status(model, time.monotonic() + 5.0)


def test_a_full_queue_is_not_a_missing_server(scripted):
    text = "The batch scheduling queue to which this task was submitted is full"
    scripted.script = [(UNAVAILABLE, text)] * 2
    with (
        RecommenderClient(scripted.address, retries=1) as client,
        pytest.raises(errors.OverloadedError, match="ask less often, or add servers"),
    ):
        client.models(["m"])


def test_the_deadline_bounds_all_attempts(scripted):
    scripted.script = [UNAVAILABLE, 3.0]
    began = time.monotonic()
    with (
        RecommenderClient(scripted.address, retries=4, timeout=0.5) as client,
        pytest.raises(errors.DeadlineError),
    ):
        client.models(["m"])
    assert time.monotonic() - began < 2.5


def test_a_deadline_of_a_millisecond_is_an_error_of_ours(scripted):
    with RecommenderClient(scripted.address) as client:
        scripted.script = [0.2]
        with pytest.raises(errors.DeadlineError, match="give a longer timeout"):
            client.models(["m"], timeout=0.001)
        assert client.models(["m"])[0].version == 7


def test_calls_share_one_connection(scripted):
    address = scripted.address.replace("localhost", "127.0.0.1")
    with RecommenderClient(address) as client, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: client.models(["m"]), range(20)))
    assert scripted.asked == 20
    assert len(scripted.peers) == 1


@pytest.mark.parametrize("retries", [0, 2])
def test_all_servers_behind_one_name_work(scripted, retries):
    with ScriptedServer() as other:
        ports = [server.address.rpartition(":")[2] for server in (scripted, other)]
        address = f"ipv4:127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}"
        with RecommenderClient(address, retries=retries) as client:
            # The first calls go to whichever server is connected first.
            for _ in range(50):
                client.models(["m"])
                if scripted.asked >= 2 and other.asked >= 2:
                    break
                time.sleep(0.02)
    assert scripted.asked >= 2 and other.asked >= 2


def test_interceptors_see_and_change_every_call(scripted):
    from tests.serving.client.recording import Recorder

    recorder = Recorder()
    with RecommenderClient(scripted.address, interceptors=[recorder]) as client:
        client.models(["m", "n"])
    assert [request.model_spec.name for _, request, _ in recorder.calls] == ["m", "n"]
    assert [headers.get("x-trace") for headers in scripted.headers] == ["7", "7"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"retries": 5}, "retries should be between 0 and 4, not 5"),
        ({"retry_budget": 0}, "retry_budget should be between 1 and 500, not 0"),
        ({"timeout": 0}, "timeout should be more than 0 s, not 0"),
    ],
)
def test_settings_that_cannot_work(settings, sentence):
    with pytest.raises(errors.InvalidRequestError, match=sentence):
        RecommenderClient("localhost:8500", **settings)


def start_program(port, seconds):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.serving.client.scripted", str(port), str(seconds)],
        stdout=subprocess.PIPE, text=True, env=package_environment(),
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_server_killed_during_a_request_is_asked_again_once_it_is_back():
    port = free_port()
    first = start_program(port, 60)
    with (
        RecommenderClient(f"localhost:{port}", retries=4, timeout=30) as client,
        ThreadPoolExecutor() as threads,
    ):
        asking = threads.submit(client.models, ["m"])
        time.sleep(0.5)  # The request is with the server, which sleeps over it.
        assert not asking.done()
        first.kill()
        first.communicate()
        second = start_program(port, 0)
        try:
            assert asking.result()[0].version == 7
        finally:
            second.kill()
            second.communicate()
