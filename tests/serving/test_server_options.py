"""Flags that change how the server is reached, and what it serves while it runs."""

import json
import time
import urllib.error
import urllib.request

import grpc
import pytest
import trustme

from serving.client import RecommenderClient, Tls
from serving.errors import ClientError
from serving.process import start_server
from serving.server.config_files import (
    FlagError,
    read_batching_parameters,
    read_credentials,
    read_metrics_path,
)
from serving.server.flags import parse
from serving.wire import SSLConfig
from tests.serving import tiny_models
from tests.serving.conftest import Stubs, predict_request


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def pem(certificate):
    return b"".join(one.bytes() for one in certificate.cert_chain_pems)


def write_ssl(path, authority, *, key=None, **fields):
    issued = authority.issue_cert("127.0.0.1")
    message = SSLConfig(
        server_key=(key or issued).private_key_pem.bytes(), server_cert=pem(issued), **fields
    )
    path.write_text(str(message))
    return path


def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def secure(models, authority, tmp_path_factory):
    """A server with mutual TLS, a UNIX socket, CORS, and a config file that it reads again."""
    folder = tmp_path_factory.mktemp("secure")
    ssl = write_ssl(
        folder / "ssl.config", authority, custom_ca=authority.cert_pem.bytes(), client_verify=True
    )
    tiny_models.write_configs(models, folder)
    shopper = authority.issue_cert("shop")
    tls = Tls(authority.cert_pem.bytes(), pem(shopper), shopper.private_key_pem.bytes())
    flags = (
        f"--ssl_config_file={ssl}",
        f"--model_config_file={folder / 'models.config'}",
        "--model_config_file_poll_wait_seconds=0.1",
        "--file_system_poll_wait_seconds=0",
        "--rest_api_enable_cors_support",
        "--num_load_threads=2",
    )
    with start_server(models, rest_port=0, flags=flags, tls=tls) as server:
        yield server, tls, folder


def test_who_shows_a_certificate_is_answered(secure):
    server, tls, _ = secure
    with RecommenderClient(server.address, tls=tls) as client:
        assert client.similar("A1")[0].item_id == "A2"


def test_who_shows_none_or_asks_in_plain_is_not(secure, authority):
    server, tls, _ = secure
    stranger = trustme.CA().issue_cert("shop")
    strange = Tls(tls.ca, pem(stranger), stranger.private_key_pem.bytes())
    for wrong in (None, Tls(tls.ca), strange):
        with (
            RecommenderClient(server.address, tls=wrong, retries=0, timeout=3) as client,
            pytest.raises(ClientError),
        ):
            client.similar("A1")


def test_a_changed_config_file_is_applied(secure, models):
    server, tls, folder = secure
    config = folder / "models.config"
    whole = config.read_text()
    with RecommenderClient(server.address, tls=tls, retries=0) as client:

        def answers(model):
            try:
                return bool(client.models([model])[0].state == "available")
            except ClientError:
                return False

        config.write_text("model_config_list { config { nam: 1 } }")
        eventually(lambda: "the model config file is not applied" in server.log())
        assert answers("kinds")
        without = [line for line in whole.splitlines() if '"kinds"' not in line]
        config.write_text("\n".join(without))
        eventually(lambda: not answers("kinds"))
        assert answers("retrieval")
        config.write_text(whole)
        eventually(lambda: answers("kinds"))


def test_web_pages_of_other_hosts_may_ask(secure):
    server, _, _ = secure
    url = f"http://{server.rest_address}/v1/models/kinds"
    for method in ("GET", "OPTIONS"):
        call = urllib.request.Request(url, method=method)
        with urllib.request.urlopen(call, timeout=10) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_flags_without_effect_are_said(secure):
    server, _, _ = secure
    assert "--num_load_threads has no effect on the embedded server" in server.log()


@pytest.fixture(scope="module")
def strict(models, tmp_path_factory):
    """A server with flags that refuse: method names, message sizes, labels; on a socket, too."""
    folder = tmp_path_factory.mktemp("strict")
    flags = (
        "--enable_signature_method_name_check",
        "--grpc_channel_arguments=grpc.max_receive_message_length=100000",
        f"--grpc_socket_path={folder / 'socket'}",
        "--rest_api_timeout_in_ms=300",
    )
    with start_server(models, rest_port=0, flags=flags) as server:
        yield server, folder


def test_a_socket_answers_too(strict):
    with Stubs(f"unix:{strict[1] / 'socket'}") as stubs:
        assert stubs.predict("kinds", x=[[1.0, 2.0]]).model_spec.version.value == 1


def test_method_names_are_checked_if_asked(strict):
    from tests.serving.conformance.messages import classification, example, regression

    with Stubs(strict[0].address) as stubs:
        assert stubs.call(regression("examples", "regress", example(x=1.0))).result.regressions
        code, text = stubs.refusal(classification("examples", "classify_scores", example(x=1.0)))
        assert code == "INVALID_ARGUMENT"
        assert text == (
            "Expected classification signature method_name to be tensorflow/serving/classify. "
            "Was: tensorflow/serving/predict"
        )


def test_messages_have_the_size_that_the_arguments_allow(strict):
    with Stubs(strict[0].address) as stubs:
        code, _ = stubs.refusal(predict_request("kinds", x=[[1.0, 2.0]] * 20_000))
        assert code == "RESOURCE_EXHAUSTED"
        assert stubs.predict("kinds", x=[[1.0, 2.0]]).model_spec.version.value == 1


def test_a_request_over_http_has_a_deadline(strict):
    url = f"http://{strict[0].rest_address}/v1/models/kinds:predict"
    body = json.dumps({"signature_name": "slow", "inputs": 2**31 - 1}).encode()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url, body), timeout=20)
    assert caught.value.code == 504


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--batching_parameters_file=/p",), "--batching_parameters_file needs --enable_batching"),
        (("--port=8500", "--rest_api_port=8500"), "should differ; both are 8500"),
        (("--grpc_channel_arguments=a",), "should be NAME=VALUE,..., not a"),
        (("--model_base_path=m",), "should be an absolute path, not m"),
        (("--monitoring_config_file=/no",), r"cannot read /no, the --monitoring_config_file"),
        (("--ssl_config_file=/no",), "cannot read the SSL config file /no"),
    ],
)
def test_flags_that_cannot_work_are_one_sentence(flags, text):
    with pytest.raises(FlagError, match=text):
        parse(["--model_base_path=/m", *flags])


def test_channel_arguments_are_numbers_and_texts():
    flags = parse(["--model_base_path=/m", "--grpc_channel_arguments=a=1,b=x,c=-1"])
    assert flags.grpc_channel_arguments == (("a", 1), ("b", "x"), ("c", -1))


def test_more_requests_are_handled_at_a_time_with_batching():
    assert parse(["--model_base_path=/m"]).grpc_max_threads == 16
    assert parse(["--model_base_path=/m", "--enable_batching"]).grpc_max_threads == 128
    assert parse(["--model_base_path=/m", "--grpc_max_threads=3"]).grpc_max_threads == 3


def test_batching_parameters_are_read(tmp_path):
    path = tmp_path / "parameters"
    path.write_text("max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8")
    options = read_batching_parameters(path)
    assert (options.max_batch_size, options.allowed_batch_sizes) == (8, (4, 8))
    assert options.max_enqueued_batches == 10
    path.write_text("max_batch_size { value: 0 }")
    with pytest.raises(FlagError, match="max_batch_size should be at least 1, not 0"):
        read_batching_parameters(path)
    path.write_text("max_batch { value: 0 }")
    with pytest.raises(FlagError, match="is no BatchingParameters in text format"):
        read_batching_parameters(path)


def test_where_the_metrics_are(tmp_path):
    path = tmp_path / "monitoring"
    for text, expected in (
        ("", None),
        ("prometheus_config { enable: false }", None),
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true path: "/metrics" }', "/metrics"),
    ):
        path.write_text(text)
        assert read_metrics_path(path) == expected
    path.write_text('prometheus_config { enable: true path: "metrics" }')
    with pytest.raises(FlagError, match="should begin with /, not metrics"):
        read_metrics_path(path)


def test_a_key_of_another_certificate_is_refused(authority, tmp_path):
    assert isinstance(
        read_credentials(write_ssl(tmp_path / "good", authority)), grpc.ServerCredentials
    )
    other = authority.issue_cert("other")
    with pytest.raises(FlagError, match="check that server_key is the key of server_cert"):
        read_credentials(write_ssl(tmp_path / "bad", authority, key=other))
