"""`tfrec monitor`: its mistakes, one look, and a run until it is told to end."""

import json
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from click.testing import CliRunner

from pipelines.monitor import command
from tests.conftest import ROOT
from tests.monitoring.shop import event_line, make_reference, served_line, write_log
from tests.monitoring.test_endpoints import page
from tests.monitoring.test_event_files import accumulate, scalar_of
from tfrec.errors import UserError
from tfrec.monitoring.drift.reference import FOLDER


@pytest.fixture(scope="module")
def metrics():
    """Address of a metrics page at the model server's path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            good = self.path == "/monitoring/prometheus/metrics"
            self.send_response(200 if good else 404)
            self.end_headers()
            self.wfile.write(page().encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_one_look(metrics, tmp_path):
    now = time.time()
    write_log(tmp_path / "log", [served_line(now - 9), event_line(now - 5)])
    make_reference().write(tmp_path / "models" / "retrieval" / "7" / FOLDER)
    result = run(
        "--out", tmp_path / "out", "--rest", metrics, "--gateway", "127.0.0.1:1",
        "--event-log", tmp_path / "log", "--models", tmp_path / "models", "--once", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["server/up"], figures["gateway/up"]) == (1, 0)
    assert figures["served/coverage"] == 2 / 40
    assert figures["freshness/data_days"] > 700
    assert scalar_of(accumulate(tmp_path / "out"), "server/up")[0][1] == 1
    # The export of 2023 is old, which its rule says at once.
    rows = [json.loads(line) for line in (tmp_path / "out" / "alerts.jsonl").open()]
    assert "old-model" in [row["rule"] for row in rows]


def test_a_table(metrics, tmp_path):
    result = run("--out", tmp_path, "--rest", metrics, "--once")
    assert result.exit_code == 0 and "server/up" in result.output


def test_a_server_that_is_down_is_a_figure(tmp_path):
    (tmp_path / "monitor.yaml").write_text("timeout_seconds: 0.5\nrules: []\n")
    result = run(
        "--out", tmp_path / "out", "--server", "127.0.0.1:1", "--rest", "127.0.0.1:1",
        "--config", tmp_path / "monitor.yaml", "--once", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["versions/up"], figures["server/up"]) == (0, 0)


@pytest.mark.parametrize("arguments, words", [
    ([], "there is nothing to watch"),
    (["--server", "nonsense", "--once"], "should be HOST:PORT"),
    (["--rest", "h:1", "--config", "none.yaml"], "there is no configuration file none.yaml"),
])  # fmt: skip
def test_mistakes(tmp_path, arguments, words):
    result = run("--out", tmp_path, *arguments)
    assert isinstance(result.exception, UserError) and words in str(result.exception)


def test_it_watches_until_it_is_told_to_end(metrics, tmp_path):
    (tmp_path / "monitor.yaml").write_text("interval_seconds: 0.2\n")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipelines.monitor", "--out", "out"),
            *("--rest", metrics, "--config", "monitor.yaml"),
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if (tmp_path / "out").is_dir() and any((tmp_path / "out").glob("events.*")):
                values = scalar_of(accumulate(tmp_path / "out"), "server/up")
                if len(values) >= 3:
                    break
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert "tensorboard --logdir out" in errors and "Traceback" not in errors
    rates = scalar_of(accumulate(tmp_path / "out"), "server/requests_per_second/m")
    assert rates and all(value == 0 for _, value in rates)
