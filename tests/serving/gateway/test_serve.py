"""`tfrec serve --gateway`, and flags that cannot work."""

import signal
import socket
import subprocess
import sys

import httpx
import pytest

from serving.gateway.flags import parse
from serving.process import free_port
from tests.serving.gateway.conftest import KEY


def test_serve_starts_both_and_ends_both(models, keys, tmp_path):
    ports = [free_port() for _ in range(4)]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "pipelines.cli", "serve", "--models", str(models),
            "--port", str(ports[0]), "--rest-port", str(ports[1]), "--gateway", "--gateway-flags",
            f"--port {ports[2]} --rest-port {ports[3]} --host 127.0.0.1 --api-keys '{keys}' "
            f"--history 'sqlite:///{tmp_path / 'h.db'}'",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline().startswith("serving ")
        expected = f"gateway on 127.0.0.1:{ports[2]} (gRPC) and 127.0.0.1:{ports[3]} (REST)\n"
        assert process.stdout.readline() == expected
        response = httpx.post(
            f"http://127.0.0.1:{ports[3]}/v1/recommendations",
            json={"user_id": "ann", "k": 1}, headers={"x-api-key": KEY}, trust_env=False,
        )  # fmt: skip
        assert response.json()["items"][0]["item_id"] == "A1"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
    for port in ports:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass


def refused(result, sentence):
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and len(result.stderr.splitlines()) == 1
    assert sentence in result.stderr


def test_a_wrong_flag_is_one_sentence_of_the_command(run_python, tmp_path):
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"no database" * 500)
    history = f"sqlite:///{damaged}"
    result = run_python("-m", "serving.gateway", "--no-auth", "--history", history)
    refused(result, "is damaged or no history")


def test_ports_in_use_are_one_sentence(run_python):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = ("-m", "serving.gateway", "--no-auth", "--host", "127.0.0.1")
        refused(
            run_python(*command, "--port", port), "stop what listens there or give another --po"
        )
        rest = run_python(*command, "--port", str(free_port()), "--rest-port", port)
        refused(rest, f"port {port} is in use; stop what listens there or give another --rest-port")


def test_serve_refuses_flags_of_a_gateway_it_does_not_start(run_python, models):
    result = run_python(
        "-m", "pipelines.cli", "serve", "--models", str(models), "--gateway-flags", "--no-auth"
    )
    refused(result, "--gateway-flags are of no use without --gateway")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "there is no API key in"),
        ("# nothing\n", "there is no API key in"),
        ("shop:secret\n", "line 1 of .* should be NAME:HASH"),
        ("shop\n", "line 1 of"),
    ],
)
def test_key_files_without_a_key_are_one_sentence(tmp_path, content, sentence):
    from serving.gateway.api_keys import ApiKeys
    from serving.gateway.errors import GatewaySetupError

    path = tmp_path / "keys"
    path.write_text(content)
    with pytest.raises(GatewaySetupError, match=sentence) as caught:
        ApiKeys(path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--prot", "1"], "unrecognized arguments: --prot 1; see `python -m serving.gateway"),
        (["--port", "0"], "--port should be between 1 and 65535, not 0"),
        (["--rest-port", "70000"], "--rest-port should be between 0 and 65535, not 70000"),
        (["--ssl_config_file", "/nowhere"], "cannot read the SSL config file /nowhere"),
        (["--user-salt-file", "/nowhere"], "cannot read the user salt in /nowhere"),
        (["--user-salt-file", "/dev/null"], "the user salt in /dev/null is empty"),
    ],
)
def test_flags_that_cannot_work(flags, sentence):
    from serving.gateway.errors import GatewaySetupError

    with pytest.raises(GatewaySetupError, match=sentence):
        parse(["--no-auth", *flags])


def test_nobody_is_let_in_by_oversight(keys):
    from serving.gateway.errors import GatewaySetupError

    with pytest.raises(GatewaySetupError, match="nothing tells who may ask: give --api-keys FILE"):
        parse([])
    with pytest.raises(GatewaySetupError, match="not both"):
        parse(["--no-auth", "--api-keys", str(keys)])
    assert parse(["--api-keys", str(keys)]).port == 8600
