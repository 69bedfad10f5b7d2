"""Measures what the gateway adds to a recommendation, and what an event costs.

Run: ``python -m benchmarks.gateway_latency --models DIR [--history redis://localhost:6379/0]``
"""

import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import grpc
from rich.console import Console
from rich.table import Table

from serving.client import RecommenderClient
from serving.gateway import messages
from serving.gateway.process import GatewayProcess
from serving.loadtest.summary import percentile
from serving.process import free_port, start_server

EVENTS = 20
WARM_UP = 20


def calls(channel: grpc.Channel) -> dict[str, Callable[..., Any]]:
    """Returns the gateway's methods by name."""
    responses = {
        "RecommendFor": messages.RecommendForResponse,
        "RecordEvent": messages.RecordEventResponse,
        "RecordEvents": messages.RecordEventsResponse,
    }
    return {
        name: channel.unary_unary(
            f"/{messages.SERVICE}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        for name, response in responses.items()
    }


def measure(rows: dict[str, Callable[[], object]], requests: int) -> dict[str, list[float]]:
    """Returns the sorted seconds of each call, after some that warm up.

    The calls take turns, so that what else the machine does meets all of them alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for round_number in range(WARM_UP + requests):
        for name, call in rows.items():
            start = time.perf_counter()
            call()
            if round_number >= WARM_UP:
                seconds[name].append(time.perf_counter() - start)
    return {name: sorted(values) for name, values in seconds.items()}


@click.command()
@click.option("--models", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--history", help="URL of the history store; a new SQLite file by default.")
@click.option("--requests", type=int, default=500, show_default=True)
def main(models: Path, history: str | None, requests: int) -> None:
    """Measure a gateway in front of the embedded server."""
    table = Table(title=f"Gateway, histories of {EVENTS} events", title_justify="left")
    table.add_column("what")
    table.add_column("p50", justify="right")
    table.add_column("p99", justify="right")
    with (
        tempfile.TemporaryDirectory() as scratch,
        start_server(models) as server,
        RecommenderClient(server.address) as client,
    ):
        port = free_port()
        store = history or f"sqlite:///{scratch}/history.db"
        flags = [
            "--host=127.0.0.1", f"--port={port}", "--rest-port=0", "--no-auth",
            f"--history={store}", f"--events-log={scratch}/events",
        ]  # fmt: skip
        with (
            GatewayProcess(server.address, flags) as gateway,
            grpc.insecure_channel(gateway.address) as channel,
        ):
            gateway.wait_until_ready()
            gateway.forward_log = False
            items = [item.item_id for item in client.recommend([], k=EVENTS, titles=False)]
            call = calls(channel)
            call["RecordEvents"](
                messages.RecordEventsRequest(
                    events=[
                        messages.ShopperEvent(user_id="u", item_id=item, event="view")
                        for item in items
                    ]
                )
            )
            ask = messages.RecommendForRequest(user_id="u", titles=False)
            named = messages.RecommendForRequest(user_id="u")
            users = itertools.count()

            def record() -> object:
                event = messages.ShopperEvent(
                    user_id=f"v{next(users)}", item_id=items[0], event="view"
                )
                return call["RecordEvent"](event)

            rows: list[tuple[str, Callable[[], object]]] = [
                ("model server, recommend", lambda: client.recommend(items, titles=False)),
                ("gateway, RecommendFor", lambda: call["RecommendFor"](ask)),
                ("model server, recommend with titles", lambda: client.recommend(items)),
                ("gateway, RecommendFor with titles", lambda: call["RecommendFor"](named)),
                ("gateway, RecordEvent", record),
            ]
            for name, seconds in measure(dict(rows), requests).items():
                p50, p99 = (1e3 * percentile(seconds, percent) for percent in (50, 99))
                table.add_row(name, f"{p50:.2f} ms", f"{p99:.2f} ms")
    Console().print(table)


if __name__ == "__main__":
    main()
