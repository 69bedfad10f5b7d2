"""Alerts on their way: to the log, into a file, to a webhook that may be slow, odd or gone."""

import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tfrec.errors import UserError
from tfrec.monitoring.alerts.book import AlertBook, Figure
from tfrec.monitoring.alerts.delivery import FileSink, LogSink, WebhookSink, deliver
from tfrec.monitoring.alerts.rules import Rule
from tfrec.monitoring.live.config import WebhookConfig
from tfrec.monitoring.live.fetching import fetch_all, post_json


def make_alert(severity="critical"):
    book = AlertBook([Rule(name="slow", metric="m", above=1.0, severity=severity)])
    (alert,) = book.update({"m": Figure(2.0, "100 % → 50 %")}, now=1.7e9, elapsed=0.0)
    return alert


def waiting_for(event):
    """Returns a post that waits for an event."""

    def post(*_):
        event.wait(20)
        return ""

    return post


@pytest.fixture
def http():
    """An HTTP server whose answer to a path is `http.answers[path]`.

    Bytes are the text of a good answer, a number is a status, an event trickles until it is set,
    a function is called before an answer without text, and "silence" is none.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            server.posted.append(json.loads(self.rfile.read(length)))
            self.do_GET()

        def do_GET(self):
            answer = server.answers.get(self.path, 404)
            if answer == "silence":
                server.slow.wait(20)
                return
            if callable(answer):
                answer()
            status = answer if isinstance(answer, int) else 200
            self.send_response(status)
            self.end_headers()
            if isinstance(answer, threading.Event):
                # A byte now and then: each read is in time, the whole is not.
                while not answer.wait(0.05):
                    try:
                        self.wfile.write(b"x")
                        self.wfile.flush()
                    except OSError:
                        return
            elif isinstance(answer, bytes):
                self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.answers, server.posted, server.slow = {}, [], threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.slow.set()
    server.shutdown()
    server.server_close()


class TestFetching:
    def test_good_wrong_and_down(self, http):
        http.answers |= {"/good": b"a 1\n", "/wrong": 500, "/odd": b"\xff"}
        urls = {name: f"{http.address}/{name}" for name in ("good", "wrong", "odd")}
        found = fetch_all({**urls, "down": "http://127.0.0.1:1/"}, 20.0)
        assert (found["good"].text, found["good"].error) == ("a 1\n", "")
        assert found["wrong"].error == "status 500"
        assert "utf-8" in found["odd"].error
        assert found["down"].error and found["down"].text == ""

    def test_one_that_trickles_is_given_up(self, http):
        http.answers["/slow"] = http.slow
        started = time.monotonic()
        found = fetch_all({"slow": f"{http.address}/slow"}, 0.3)
        assert time.monotonic() - started < 5
        assert found["slow"].error == "no answer in time"

    def test_a_slow_one_keeps_nobody_waiting(self, http):
        # It ends once the good one is asked for; one after the other, it would never.
        http.answers |= {"/slow": http.slow, "/good": http.slow.set}
        found = fetch_all({name: f"{http.address}/{name}" for name in ("slow", "good")}, 20.0)
        assert [each.error for each in found.values()] == ["", ""]

    def test_an_answer_without_end_is_cut(self, http, monkeypatch):
        monkeypatch.setattr("tfrec.monitoring.live.fetching.MOST_BYTES", 10)
        http.answers["/long"] = b"x" * 100
        assert "more than" in fetch_all({"a": f"{http.address}/long"}, 5.0)["a"].error

    def test_an_address_that_is_none(self):
        assert fetch_all({"a": "http://[bad"}, 1.0)["a"].error

    def test_posting(self, http):
        http.answers |= {"/hook": b"ok", "/full": 503}
        assert post_json(f"{http.address}/hook", {"text": "ä"}, 5.0) == ""
        assert http.posted == [{"text": "ä"}]
        assert post_json(f"{http.address}/full", {}, 5.0) == "status 503"
        assert post_json("http://127.0.0.1:1/", {}, 5.0) != ""


class TestLogAndFile:
    @pytest.mark.parametrize("severity, level", [
        ("info", logging.INFO), ("warning", logging.WARNING), ("critical", logging.CRITICAL),
    ])  # fmt: skip
    def test_log(self, caplog, severity, level):
        caplog.set_level(logging.INFO)
        LogSink().send(make_alert(severity))
        assert caplog.records[-1].levelno == level
        assert "100 % → 50 %" in caplog.records[-1].getMessage()

    def test_file(self, tmp_path):
        sink = FileSink(tmp_path / "new" / "alerts.jsonl")
        deliver([make_alert(), make_alert()], [sink])
        sink.close()
        rows = [json.loads(line) for line in (tmp_path / "new" / "alerts.jsonl").open()]
        assert [row["state"] for row in rows] == ["raised", "raised"]
        assert rows[0] == make_alert().to_json()

    def test_the_file_stays_small(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tfrec.monitoring.alerts.delivery.MEGABYTE", 256)
        sink = FileSink(tmp_path / "alerts.jsonl")
        for _ in range(100):
            sink.send(make_alert())
        sink.close()
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 6_000
        assert len(list(tmp_path.iterdir())) == 4

    def test_a_file_that_cannot_be_is_a_users_matter(self, tmp_path):
        (tmp_path / "alerts.jsonl").mkdir()
        with pytest.raises((UserError, IsADirectoryError)):
            FileSink(tmp_path / "alerts.jsonl")


class TestWebhook:
    def config(self, url, **fields):
        return WebhookConfig(url=url, **{"timeout_seconds": 0.3, "retries": 2, **fields})

    def test_it_is_posted(self, http):
        http.answers["/hook"] = b"ok"
        sink = WebhookSink(self.config(f"{http.address}/hook"))
        sink.send(make_alert())
        sink.close()
        assert http.posted == [make_alert().to_json()]

    def test_one_that_times_out_is_tried_again_and_blocks_nobody(self, http, caplog):
        http.answers["/hook"] = "silence"
        sink = WebhookSink(self.config(f"{http.address}/hook"), sleep=lambda _: None)
        started = time.monotonic()
        sink.send(make_alert())
        assert time.monotonic() - started < 0.2
        sink.close(30.0)
        assert len(http.posted) == 3
        assert "took no alert in 3 tries (no answer in time)" in caplog.text

    def test_one_that_recovers_gets_the_alert(self):
        tries, waits = [], []

        def post(url, body, timeout):
            tries.append((url, timeout))
            return "status 503" if len(tries) < 3 else ""

        sink = WebhookSink(self.config("http://x/"), post=post, sleep=waits.append)
        sink.send(make_alert())
        sink.close()
        assert tries == [("http://x/", 0.3)] * 3 and waits == [1.0, 2.0]

    def test_a_queue_that_is_full_drops_and_says_so(self, caplog):
        hold = threading.Event()
        sink = WebhookSink(self.config("http://x/"), post=waiting_for(hold))
        for _ in range(sink.WAITING + 5):
            sink.send(make_alert())
        assert "does not keep up" in caplog.text
        hold.set()
        sink.close(20.0)

    def test_closing_does_not_wait_for_ever(self, caplog):
        hold = threading.Event()
        sink = WebhookSink(self.config("http://x/"), post=waiting_for(hold))
        sink.send(make_alert())
        sink.send(make_alert())
        sink.close(0.1)
        assert "did not reach the webhook" in caplog.text
        hold.set()

    def test_the_thread_survives_anything(self, caplog):
        posted = []

        def post(url, body, timeout):
            if not posted:
                posted.append(None)
                raise RuntimeError("unheard of")
            posted.append(body)
            return ""

        sink = WebhookSink(self.config("http://x/"), post=post)
        sink.send(make_alert())
        sink.send(make_alert())
        sink.close()
        assert len(posted) == 2 and "unheard of" in caplog.text
