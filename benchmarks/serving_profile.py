"""Says where the time of a recommendation goes, from the client down to TensorFlow's ops.

Run: ``python -m benchmarks.serving_profile --models DIR --histories FILE``

The server's own metrics tell how long a request took inside it, and how long the graph ran; what
the client measured beyond that is transport. A trace of the same requests in this process divides
the graph's time among its ops (a trace makes small ops look dearer, so shares are shown).
"""

import re
import statistics
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.serving_setup import MONITORING, benchmark, copy_newest, served
from serving import wire
from serving.loadtest.shoppers import read_shoppers

METRICS = "/monitoring/prometheus/metrics"
SHOWN_OPS = 12
Sums = dict[str, tuple[float, float]]


def measure(models: Path, histories: Path, *, quick: bool) -> dict[str, Any]:
    """Returns microseconds of each part of a `recommend` that nothing else delays."""
    shoppers = read_shoppers(histories)
    count = 200 if quick else 2000
    with served(models, MONITORING, rest_port=0) as server:
        calls = server.calls(shoppers)[:count]
        for call in calls[:100]:
            server.target.send(call.request).result()
        before = _metrics(server.process.rest_address)
        taken, encode, decode = [], [], []
        for call in calls:
            request = wire.PredictRequest.FromString(call.request)
            start = time.perf_counter()
            data = request.SerializeToString()
            sent = time.perf_counter()
            response = server.target.send(data).result()
            done = time.perf_counter()
            encode.append(sent - start)
            taken.append(done - start)
            answer = response.SerializeToString()
            start = time.perf_counter()
            wire.PredictResponse.FromString(answer)
            decode.append(time.perf_counter() - start)
        after = _metrics(server.process.rest_address)
    inside = _mean(before, after, "request_latency")
    graph = _mean(before, after, "runtime_latency")
    client = statistics.mean(encode) * 1e6, statistics.mean(decode) * 1e6
    whole = statistics.mean(taken) * 1e6
    return {
        "requests": count,
        "microseconds": {
            "whole call, as the client sees it": whole,
            "client: encode the request": client[0],
            "client: decode the answer": client[1],
            "transport: gRPC on both sides, threads": whole - sum(client) - inside,
            "server: messages to tensors and back, checks": inside - graph,
            "server: run of the graph": graph,
        },
        "ops": _ops(models, [call.request for call in calls[:100]]),
    }


def _ops(models: Path, requests: list[bytes]) -> dict[str, float]:
    """Returns each op type's share of the graph's time, largest first."""
    from benchmarks.serving_in_process import InProcess

    spent: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        model = InProcess(copy_newest(models, Path(scratch)) / "recommender" / "1", threads=1)
        for counts in (False, True):
            for request in requests:
                ops = model.microseconds_by_op(model.feeds(request))
                if counts:
                    spent += ops
        model.close()
    total = spent.total()
    return {kind: micros / total for kind, micros in spent.most_common()}


def _metrics(address: str | None) -> Sums:
    """Returns sum and count of every histogram of the recommender."""
    assert address is not None
    with urllib.request.urlopen(f"http://{address}{METRICS}", timeout=10) as page:
        text = page.read().decode()
    sums: dict[str, list[float]] = {}
    pattern = r"^:tensorflow:serving:(\w+)_(sum|count){([^}]*)} (\S+)$"
    for name, what, labels, value in re.findall(pattern, text, re.MULTILINE):
        if 'model_name="recommender"' in labels:
            sums.setdefault(name, [0.0, 0.0])[what == "count"] += float(value)
    return {name: (total, count) for name, (total, count) in sums.items()}


def _mean(before: Sums, after: Sums, name: str) -> float:
    """Returns the mean of the requests between two looks, in the metric's microseconds."""
    (total, count), (total_before, count_before) = after[name], before.get(name, (0.0, 0.0))
    return (total - total_before) / (count - count_before)


def table(result: dict[str, Any]) -> Table:
    """Returns the result for people."""
    table = Table(title="Where the time of a recommendation goes", title_justify="left")
    table.add_column("part")
    table.add_column("mean ms", justify="right")
    table.add_column("share", justify="right")
    whole, *_ = result["microseconds"].values()
    for name, micros in result["microseconds"].items():
        table.add_row(name, f"{micros / 1e3:.3f}", f"{micros / whole:.1%}")
    table.add_section()
    for kind, share in list(result["ops"].items())[:SHOWN_OPS]:
        table.add_row(f"of the graph: {kind}", "", f"{share:.1%}")
    rest = sum(list(result["ops"].values())[SHOWN_OPS:])
    table.add_row(f"of the graph: {len(result['ops']) - SHOWN_OPS} other types", "", f"{rest:.1%}")
    return table


if __name__ == "__main__":
    benchmark(measure, table)()
