"""What the gateway does while something behind it does not work."""

import contextlib
import hashlib
import os
import signal
import socket
import sqlite3
import time

import grpc
import httpx
import pytest
import trustme

from serving.gateway import messages
from serving.process import free_port, start_server
from tests.serving.gateway.conftest import KEY, GatewayProcess
from tests.serving.history.conftest import RedisServer, redis_binary  # noqa: F401

SESSION = [messages.HistoryEvent(item_id="C1", event="view")]


@pytest.fixture
def start(server, keys, tmp_path):
    """Starts gateways that end with the test."""
    started = []

    def start(*flags, server=server.address, **options):
        process = GatewayProcess(tmp_path, server, *(flags or ("--api-keys", keys)), **options)
        started.append(process)
        return process.__enter__()

    yield start
    for process in started:
        process.__exit__()


def test_a_damaged_history_leaves_the_history_of_the_request(start):
    gateway = start()
    gateway.ask("RecordEvent", user_id="ann", item_id="B1", event="view")
    path = gateway.folder / "history.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        # A change by another program makes the gateway read the file again.
        other.execute("INSERT INTO events VALUES ('other', 1, 'view', 'A1')")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.write(b"\xff" * path.stat().st_size)
    answer = gateway.ask("RecommendFor", user_id="ann", history=SESSION, k=1)
    assert (answer.items[0].item_id, answer.degraded, answer.history_length) == ("C1", True, 1)
    code, text = gateway.refusal("RecordEvent", user_id="ann", item_id="B1", event="view")
    assert code == "UNAVAILABLE" and "is damaged or no history" in text
    assert gateway.logged("recommendation")[-1]["degraded"] is True
    assert gateway.metric("tfrec_gateway_history_failures_total") == 2
    assert "recommending without the history store" in gateway.log()


def test_a_locked_history_is_read_and_waited_for(start):
    gateway = start()
    gateway.ask("RecordEvent", user_id="ann", item_id="B1", event="view")
    other = sqlite3.connect(gateway.folder / "history.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert gateway.recommended("ann", k=1) == ["B1"]
    code, text = gateway.refusal("RecordEvent", user_id="ann", item_id="C1", event="view")
    assert code == "UNAVAILABLE" and "database is locked" in text
    other.execute("ROLLBACK")
    assert gateway.ask("RecordEvent", user_id="ann", item_id="C1", event="view").recorded
    # A reader keeps the write-ahead log from being emptied: nobody is told that all is erased.
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM events").fetchone()
    code, text = gateway.refusal("EraseUser", user_id="ann")
    assert code == "UNAVAILABLE" and "erase again when that is done" in text
    other.execute("COMMIT")
    other.close()
    assert gateway.ask("EraseUser", user_id="ann").log_lines == 3
    assert gateway.logged() == []


def test_redis_that_goes_away_is_done_without_until_it_is_back(start, redis_binary, tmp_path):  # noqa: F811
    redis_server = RedisServer(redis_binary, tmp_path)
    gateway = start(history=redis_server.url)  # It comes before its store.
    answer = gateway.ask("RecommendFor", user_id="ann", history=SESSION, k=1)
    assert (answer.items[0].item_id, answer.degraded) == ("C1", True)
    assert gateway.logged("recommendation")[-1]["user"] is None  # The salt is in the store.
    redis_server.start()
    try:
        gateway.ask("RecordEvent", user_id="ann", item_id="B1", event="click")
        assert gateway.recommended("ann", k=1) == ["B1"]
        redis_server.stop()
        code, text = gateway.refusal("RecordEvent", user_id="ann", item_id="B1", event="view")
        assert code == "UNAVAILABLE" and "see that the server runs" in text
        assert gateway.ask("RecommendFor", user_id="ann", k=1).degraded
        redis_server.start()
        assert not gateway.ask("RecommendFor", user_id="ann", k=1).degraded
    finally:
        redis_server.stop()


def test_a_model_server_that_is_killed_is_waited_for(start, models):
    port = free_port()
    with start_server(models, port=port) as first:
        gateway = start(server=first.address)
        assert gateway.recommended("ann", k=1) == ["A1"]
        os.killpg(first.process.pid, signal.SIGKILL)
        first.process.wait()
    # The connection may still be found to be gone when the caller's second is over.
    code, _ = gateway.refusal("RecommendFor", user_id="ann", timeout=1)
    assert code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
    assert gateway.get("/healthz").status_code == 200
    # What needs no model goes on.
    assert gateway.ask("RecordEvent", user_id="ann", item_id="B1", event="click").recorded
    for _ in range(600):
        if gateway.get("/readyz").status_code == 503:
            break
        time.sleep(0.1)
    assert gateway.get("/readyz").status_code == 503
    with start_server(models, port=port):
        for _ in range(600):
            if gateway.get("/readyz").status_code == 200:
                break
            time.sleep(0.1)
        assert gateway.recommended("ann", k=1) == ["B1"]


def test_an_event_log_that_cannot_be_written_keeps_nobody_waiting(start):
    gateway = start()
    (gateway.folder / "events").rename(gateway.folder / "moved")
    assert gateway.recommended("ann", k=1) == ["A1"]
    assert gateway.ask("RecordEvent", user_id="ann", item_id="B1", event="view").recorded
    assert gateway.metric("tfrec_gateway_event_log_failures_total") == 2
    assert "the event log lost 1 lines" in gateway.log()
    (gateway.folder / "moved").rename(gateway.folder / "events")
    assert gateway.ask("RecordEvent", user_id="ann", item_id="C1", event="view").recorded
    assert [line["item_id"] for line in gateway.logged()] == ["C1"]


def test_the_rate_of_a_key_is_limited(start, keys):
    gateway = start("--api-keys", keys, "--rate-limit", "3/minute")
    for _ in range(3):
        gateway.ask("GetHistory", user_id="ann")
    code, text = gateway.refusal("GetHistory", user_id="ann")
    assert (code, "may ask 3 per 1 minute only" in text) == ("RESOURCE_EXHAUSTED", True)
    assert gateway.post("/v1/users:history", {"user_id": "ann"}).status_code == 429


def test_slow_and_idle_connections_keep_nobody_waiting(start):
    gateway = start()
    idle = [socket.create_connection(("127.0.0.1", gateway.rest_port)) for _ in range(100)]
    idle += [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(100)]
    slow = socket.create_connection(("127.0.0.1", gateway.rest_port))
    slow.sendall(
        b"POST /v1/recommendations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        b"x-api-key: " + KEY.encode() + b"\r\n\r\n{"
    )
    assert gateway.post("/v1/recommendations", {"user_id": "ann"}).status_code == 200
    assert gateway.recommended("ann", k=1) == ["A1"]
    for connection in (*idle, slow):
        connection.close()


def test_sigterm_ends_it_in_order(start):
    gateway = start()
    gateway.ask("RecordEvent", user_id="ann", item_id="B1", event="view")
    assert gateway.stop() == 0
    assert "shutting down" in gateway.log()
    assert not (gateway.folder / "history.db-wal").exists()  # Everything is in the one file.


def test_what_was_acknowledged_outlives_a_killed_gateway(start):
    first = start()
    first.ask("RecordEvent", user_id="ann", item_id="B1", event="click")
    first.process.kill()
    first.process.wait()
    second = start()
    assert second.recommended("ann", k=1) == ["B1"]
    assert [line["event"] for line in second.logged()] == ["click", "recommendation"]


def quoted(pem):
    return '"' + pem.decode().replace("\n", "\\n") + '"'


def test_mutual_tls_lets_in_who_shows_the_right_certificate(start, tmp_path):
    servers, clients = trustme.CA(), trustme.CA()
    issued = servers.issue_cert("localhost")
    config = tmp_path / "ssl.config"
    config.write_text(
        f"server_key: {quoted(issued.private_key_pem.bytes())}\n"
        f"server_cert: {quoted(issued.cert_chain_pems[0].bytes())}\n"
        f"custom_ca: {quoted(clients.cert_pem.bytes())}\n"
        "client_verify: true\n"
    )
    gateway = start("--ssl_config_file", config)

    def ask(authority):
        own = authority.issue_cert("shop-7@example.com", common_name="shop-7")
        credentials = grpc.ssl_channel_credentials(
            servers.cert_pem.bytes(), own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes()
        )
        with grpc.secure_channel(f"localhost:{gateway.port}", credentials) as channel:
            gateway.channel = channel
            return gateway.recommended("ann", k=1)

    assert ask(clients) == ["A1"]
    assert '"caller": "shop-7"' in gateway.log()
    with pytest.raises(grpc.RpcError) as caught:
        ask(servers)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE

    import ssl

    context = ssl.create_default_context(cadata=servers.cert_pem.bytes().decode())
    url = f"https://localhost:{gateway.rest_port}/v1/recommendations"
    with pytest.raises(httpx.TransportError), httpx.Client(verify=context, trust_env=False) as web:
        web.post(url, json={"user_id": "ann", "k": 1})
    clients.issue_cert("shop").configure_cert(context)
    with httpx.Client(verify=context, trust_env=False) as web:
        assert web.post(url, json={"user_id": "ann", "k": 1}).json()["model_version"] == "1"


def test_two_keys_may_serve_one_shop_while_one_replaces_the_other(start, tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"shop:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
    gateway = start("--api-keys", path)
    assert gateway.refusal("GetHistory", key="next", user_id="ann")[0] == "UNAUTHENTICATED"
    path.write_text(path.read_text() + f"shop:{hashlib.sha256(b'next').hexdigest()}\n")
    for key in (KEY, "next"):
        assert not gateway.ask("GetHistory", key=key, user_id="ann").events
