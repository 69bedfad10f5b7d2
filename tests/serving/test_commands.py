"""The commands that serve and ask, as a user runs them."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from serving.model_folder import find_models
from serving.process import ServerProcess, ServerStartError, free_port
from tests.conftest import ROOT


@pytest.fixture
def tfrec(run_python):
    return lambda *arguments, **environment: run_python(
        "-m", "pipelines.cli", *arguments, **environment
    )


def refused(result, sentence):
    """Says whether a command ended as a user's mistake should: one line, code 2, no output."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert sentence in lines[0]


def test_recommend_prints_a_table(tfrec, server):
    result = tfrec("recommend", "--server", server.address, "--history", "B1, A1", "-k", "2")
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if re.match(r"\s+\d", line)]
    assert rows == [
        ["1", "A2", "blue", "mug", "2.50", "0.0000", "red", "mug"],
        ["2", "A1", "red", "mug", "1.50", "-1.0000", "red", "mug"],
    ]
    assert result.stderr == ""


def test_recommend_prints_json(tfrec, server):
    result = tfrec(
        "recommend", "--server", server.address, "--history", "B1,zz,A1", "-k", "1", "--json"
    )
    assert json.loads(result.stdout) == [
        {
            "item_id": "A2",
            "title": "blue mug",
            "score": 0.0,
            "price": 2.5,
            "reason": {"item_id": "A1", "title": "red mug"},
            "probabilities": {"purchase": 0.5, "return": 0.25},
        }
    ]
    assert result.stderr == "note: not in the catalogue, and skipped: zz\n"


def test_options_of_recommend_reach_the_model(tfrec, server):
    result = tfrec(
        "recommend", "--server", server.address, "--history", "A1", "--events", "view",
        "--exclude", "A1,B1", "--context", "country=France", "--model", "retrieval",
        "-k", "2", "--json",
    )  # fmt: skip
    assert [row["item_id"] for row in json.loads(result.stdout)] == ["A2", "B2"]


def test_home_prints_its_shelves(tfrec, server):
    result = tfrec("home", "--server", server.address, "--history", "zz,A2", "--now", "5")
    assert result.returncode == 0, result.stderr
    titles = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    assert titles[0] == "For you" and "Because of blue mug" in titles
    assert result.stderr.splitlines() == [
        "note: not in the catalogue, and skipped: zz",
        "note: the last 1 of because_of fill gaps",
        "note: the shelf buy_again is left out",
    ]
    page = json.loads(tfrec("home", "--server", server.address, "--history", "A2", "--json").stdout)
    assert [(shelf["shelf"], shelf["state"], shelf["fillers"]) for shelf in page] == [
        ("for_you", "full", 0),
        ("because_of", "filled", 1),
        ("buy_again", "left_out", 0),
    ]
    assert page[1]["reason_item_id"] == "A2" and page[1]["items"][0]["title"] == "red plate"
    wrong = tfrec("home", "--server", server.address, "--history", "A2", "--timestamps", "now")
    refused(wrong, "--timestamps should be whole seconds, not 'now'")


def test_a_new_shopper_has_an_empty_history(tfrec, server):
    result = tfrec("recommend", "--server", server.address, "--history", "", "-k", "1", "--json")
    assert [row["item_id"] for row in json.loads(result.stdout)] == ["A1"]


def test_search_and_similar_print_json(tfrec, server):
    result = tfrec("search", "--server", server.address, "--query", "red", "-k", "2", "--json")
    assert json.loads(result.stdout) == [
        {"item_id": "A1", "title": "red mug", "score": 1.0, "price": 1.5},
        {"item_id": "B1", "title": "red plate", "score": 1.0, "price": 3.0},
    ]
    result = tfrec("similar", "--server", server.address, "--item", "B2", "-k", "1", "--json")
    assert [row["item_id"] for row in json.loads(result.stdout)] == ["B1"]


def test_search_takes_filters(tfrec, server):
    result = tfrec(
        "search", "--server", server.address, "--query", "red", "--price-from", "2", "--price-to",
        "3", "--category", "x", "--category", "y", "-k", "2", "--json",
    )  # fmt: skip
    assert [row["item_id"] for row in json.loads(result.stdout)] == ["A2", "B1"], result.stderr


def test_cart_prints_json_and_names_what_it_skipped(tfrec, server):
    address = server.address
    result = tfrec(
        "cart", "--server", address, "--basket", "A1, zz", "--exclude", "A2", "-k", "1", "--json"
    )
    assert [row["item_id"] for row in json.loads(result.stdout)] == ["B1"]
    assert result.stderr == "note: not in the catalogue, and skipped: zz\n"


def test_a_table_of_similar_items_names_the_item(tfrec, server):
    result = tfrec("similar", "--server", server.address, "--item", "A1")
    assert result.stdout.startswith("Items like A1 (red mug)")
    assert "Käse" not in result.stdout  # the tiny model answers with four items
    assert result.stderr == "note: the model's answer has 4 items, not 10\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("recommend", "--history", "q,w"), "none of the 2 items (q, w) is in the catalogue"),
        (("recommend", "--history", "A1", "-k", "0"), "k should be a positive integer, not 0"),
        (("recommend", "--history", "A1", "--context", "x"), "--context should be NAME=VALUE"),
        (("recommend", "--history", "A1", "--context", "x=y"), "no context feature x"),
        (("search", "--query", " "), "the query is empty"),
        (("search", "--query", "x", "--price-from", "2", "--price-to", "1"), "no price is from 2"),
        (("search", "--query", "x", "--price-to", "nan"), "price_to should be a number, not nan"),
        (("cart", "--basket", "q,w"), "none of the 2 items (q, w) is in the catalogue"),
        (("similar", "--item", "zz"), "the item zz is not in the catalogue"),
    ],
)
def test_mistakes_are_one_sentence(tfrec, server, arguments, sentence):
    refused(tfrec(*arguments, "--server", server.address), sentence)


def test_a_server_that_is_down_is_one_sentence(tfrec):
    address = f"127.0.0.1:{free_port()}"
    result = tfrec("search", "--server", address, "--query", "red")
    refused(result, f"no model server answers at {address}; start one with `tfrec serve")
    refused(tfrec("search", "--server", "here", "--query", "red"), "should be HOST:PORT")


def test_asking_does_not_load_tensorflow(run_python):
    code = (
        "import sys, pipelines.recommend, pipelines.search, pipelines.similar, pipelines.serve; "
        "print([m for m in ('tensorflow', 'numpy', 'pandas') if m in sys.modules])"
    )
    assert run_python("-c", code).stdout == "[]\n"


class Serve:
    """`tfrec serve` in the background."""

    def __init__(self, *arguments, **environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "serve", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def test_serve_says_what_it_serves_and_ends_in_order(models, tfrec):
    port, rest_port = free_port(), free_port()
    with Serve("--models", models, "--port", port, "--rest-port", rest_port) as serve:
        assert serve.process.stdout.readline() == (
            "serving examples 1, kinds 1, ranking 1, recommender 1, retrieval 1 with the embedded "
            f"server (no tensorflow_model_server on the PATH) on localhost:{port} (gRPC) and "
            f"localhost:{rest_port} (REST); Ctrl-C ends it\n"
        )
        result = tfrec("similar", "--server", f"localhost:{port}", "--item", "A1", "-k", "1")
        assert result.returncode == 0
        serve.process.send_signal(signal.SIGINT)
        _, errors = serve.process.communicate(timeout=20)
        assert serve.process.returncode == 0
        assert all(line.startswith("20") for line in errors.splitlines()), errors
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass


def test_serve_prefers_an_official_binary_on_the_path(models, tmp_path):
    fake = tmp_path / "bin" / "tensorflow_model_server"
    fake.parent.mkdir()
    # Stands in for the official server: notes its flags, then becomes the embedded one.
    fake.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        f"open({str(tmp_path / 'flags')!r}, 'w').write('\\n'.join(sys.argv[1:]))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'serving.server', *sys.argv[1:]])\n"
    )
    fake.chmod(0o755)
    port, rest_port = free_port(), free_port()
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    arguments = ("--models", models, "--port", port, "--rest-port", rest_port)
    with Serve(*arguments, PATH=path) as serve:
        assert f"with {fake} on localhost:{port}" in serve.process.stdout.readline()
        serve.process.send_signal(signal.SIGTERM)
        serve.process.communicate(timeout=20)
        assert serve.process.returncode == 0
    flags = (tmp_path / "flags").read_text().splitlines()
    assert flags[:2] == [f"--port={port}", f"--rest_api_port={rest_port}"]
    # None of the embedded server's own flags, which the official one would refuse.
    assert [flag.split("=")[0] for flag in flags] == [
        "--port",
        "--rest_api_port",
        "--model_config_file",
        "--enable_grpc_healthcheck_service",
    ]


def test_a_port_in_use_is_one_sentence(tfrec, models):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        free = free_port()
        options = ("serve", "--models", str(models))
        refused(
            tfrec(*options, "--port", str(port), "--rest-port", str(free)),
            f"port {port} is in use; stop what listens there or give another --port",
        )
        refused(
            tfrec(*options, "--port", str(free), "--rest-port", str(port)),
            f"port {port} is in use; stop what listens there or give another --rest-port",
        )


def test_an_address_that_cannot_be_listened_on_is_one_sentence(tfrec, models):
    ports = ("--port", str(free_port()), "--rest-port", str(free_port()))
    # From the range that documentation may use, so no machine has it.
    elsewhere = tfrec("serve", "--models", str(models), "--host", "203.0.113.1", *ports)
    refused(elsewhere, "cannot listen on 203.0.113.1:")
    refused(elsewhere, "give another --host")


def test_a_port_that_needs_rights_is_not_said_to_be_in_use(models, monkeypatch):
    # Whoever runs the tests may be allowed every port, so the refusal is made up.
    def refuse(self, address):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ServerStartError, match=r"not allowed to listen on port 80; .*--port, from"):
        ServerProcess(find_models(models), port=80)


def test_models_that_cannot_be_served_are_one_sentence(tfrec, models, tmp_path):
    ports = ("--port", str(free_port()), "--rest-port", str(free_port()))
    refused(tfrec("serve", "--models", str(tmp_path / "no"), *ports), "no does not exist; give")
    refused(tfrec("serve", "--models", str(tmp_path), *ports), "there is no model in")
    copy = tmp_path / "copy"
    shutil.copytree(models, copy)
    data = copy / "recommender/1/variables/variables.data-00000-of-00001"
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    # Every file is there, so only loading tells.
    refused(
        tfrec("serve", "--models", str(copy), *ports),
        "version 1 of model recommender cannot be loaded",
    )
    data.unlink()
    refused(tfrec("serve", "--models", str(copy), *ports), "version 1 of model recommender is not")
    refused(tfrec("serve", "--models", str(models), "--binary", "nope"), "there is no program nope")


def test_asking_is_quick(tfrec, server):
    def processor_seconds():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = processor_seconds()
    assert tfrec("similar", "--server", server.address, "--item", "A1").returncode == 0
    # Importing TensorFlow alone would take more than twice as long.
    assert processor_seconds() - before < 1.5
