"""Prints the latency of every surface through the server.

    python -m benchmarks.surface_latency --run RUN --histories FILE [--data DATA] [--json FILE]

The run is exported with its surfaces into a scratch folder and served by the embedded server; one
process sends requests at a fixed rate, with Poisson arrivals, and latencies count from the time at
which each was due. A surface that the run's log cannot say anything of, such as repeat purchases in
a log without any, is served with random tables of the same size and marked with a star: its answers
mean nothing, and take as long.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import json_option, run_options
from benchmarks.serving_setup import Server, numbers, served
from serving.client.calls import Operation
from serving.client.connection import Connection, Settings
from serving.client.operations import Operations
from serving.loadtest.loops import PreparedCall
from serving.loadtest.mix import first_prediction
from serving.loadtest.shoppers import Shopper, read_shoppers
from serving.loadtest.summary import Summary
from tfrec.export.exporter import export, exportable_of
from tfrec.files import read_json, write_json
from tfrec.surfaces.buy_again import FEATURES as AGAIN_FEATURES
from tfrec.surfaces.buy_again import AgainTables
from tfrec.surfaces.campaign import FEATURES as CAMPAIGN_FEATURES
from tfrec.surfaces.campaign import CampaignTables
from tfrec.surfaces.cart import WINDOWS, CartTables
from tfrec.surfaces.cart_fitting import NEIGHBOURS
from tfrec.surfaces.stored import StoredTables
from tfrec.training.loading import TrainedRun
from tfrec.training.surfaces import AGAIN, CAMPAIGN, CART, FITTED, SURFACES

REQUESTS = 500
CREATIVES = ("lunch bag", "gifts for the garden", "new in: bath and body", "winter sale")
BASKET = 5
WORDS = 3

Ask = Callable[[Operations, Shopper, dict[str, str]], Operation[Any]]


def _who(shopper: Shopper) -> tuple[Any, ...]:
    return shopper.history, shopper.events, shopper.timestamps


SURFACES_ASKED: dict[str, Ask] = {
    "recommend": lambda ask, one, _: ask.recommend(*_who(one), context=one.context),
    "retrieval": lambda ask, one, _: ask.recommend(
        *_who(one), context=one.context, model="retrieval"
    ),
    "new shopper": lambda ask, one, _: ask.recommend([], context=one.context),
    "home": lambda ask, one, _: ask.home(*_who(one), context=one.context),
    "similar": lambda ask, one, _: ask.similar(one.history[-1]),
    "cart": lambda ask, one, _: ask.cart(one.history[-BASKET:]),
    "buy again": lambda ask, one, _: ask.buy_again(*_who(one), context=one.context),
    "other categories": lambda ask, one, _: ask.other_categories(*_who(one), context=one.context),
    "search": lambda ask, one, titles: ask.search(
        titles[one.history[-1]], *_who(one), context=one.context
    ),
    "search with filters": lambda ask, one, titles: ask.search(
        titles[one.history[-1]], *_who(one), context=one.context, include_sold_out=True
    ),
    "campaign, 1 text": lambda ask, one, _: ask.campaign(
        CREATIVES[:1], *_who(one), context=one.context
    ),
    "campaign, 4 texts": lambda ask, one, _: ask.campaign(
        CREATIVES, *_who(one), context=one.context
    ),
}
STARRED = {CART: ("cart",), AGAIN: ("buy again",), CAMPAIGN: ("campaign",)}


@click.command()
@run_options
@click.option("--histories", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--rate", default=20.0, show_default=True, help="Requests a second.")
@click.option("--seconds", default=20.0, show_default=True, help="For each surface.")
@json_option
def main(
    run_folder: Path,
    data: Path | None,
    histories: Path,
    rate: float,
    seconds: float,
    json_path: Path | None,
) -> None:
    """Measure the latency of every surface."""
    shoppers = [shopper for shopper in read_shoppers(histories) if shopper.history]
    with tempfile.TemporaryDirectory(prefix="surfaces-") as scratch:
        copy = Path(scratch) / "run"
        shutil.copytree(run_folder, copy)
        run = TrainedRun.open(copy, data)
        stand_ins = complete(copy / SURFACES, len(run.dataset.items))
        source = exportable_of(copy, run)
        export(replace(source, examples=source.examples[:2]), Path(scratch) / "models")
        figures = {}
        with served(Path(scratch) / "models") as server:
            for name, ask in SURFACES_ASKED.items():
                summary = server.at_rate(prepared(server, name, ask, shoppers), rate, seconds)
                figures[name + _star(name, stand_ins)] = row_of(summary)
    items = len(source.items)
    Console().print(table(figures, items, rate))
    if json_path is not None:
        write_json(json_path, {"items": items, "rate": rate, "surfaces": figures})


def complete(folder: Path, items: int) -> list[str]:
    """Adds random tables where the run has none; returns the names of their files."""
    if not (folder / FITTED).is_file():
        raise SystemExit(f"{folder} holds no surfaces; fit them with `tfrec train surfaces`")
    random = np.random.default_rng(0)

    def numbers_of(*shape: int) -> np.ndarray:
        return random.random(shape, np.float32)

    rows = items + 1
    made: dict[str, StoredTables] = {
        CART: CartTables(
            random.integers(1, rows, (rows, NEIGHBOURS)).astype(np.int32),
            numbers_of(rows, NEIGHBOURS),
            numbers_of(rows, len(WINDOWS)),
            numbers_of(2 + len(WINDOWS)),
        ),
        AGAIN: AgainTables(
            numbers_of(rows),
            numbers_of(rows),
            numbers_of(rows),
            numbers_of(len(AGAIN_FEATURES)),
            np.array(1),
            np.array(0),
        ),
        CAMPAIGN: CampaignTables(
            numbers_of(len(CAMPAIGN_FEATURES)),
            np.array(0.5, np.float32),
            np.log(numbers_of(rows) + 1e-3),
            np.array(30),
        ),
    }
    missing = [name for name in made if not (folder / name).is_file()]
    for name in missing:
        made[name].save(folder / name)
    if CART in missing:
        fitted: dict[str, Any] = read_json(folder / FITTED)
        write_json(folder / FITTED, {**fitted, "cart": {"penalty": 1.0, "length_exponent": 0.0}})
    return missing


def _star(name: str, stand_ins: Sequence[str]) -> str:
    starred = [start for file in stand_ins for start in STARRED[file]]
    return "*" if name.startswith(tuple(starred)) else ""


def prepared(
    server: Server, name: str, ask: Ask, shoppers: Sequence[Shopper]
) -> list[PreparedCall]:
    """Returns the requests that the client would send, ready."""
    settings = Settings(server.process.address, retries=0)
    connection = Connection(settings)
    operations = Operations(settings.address, settings.timeout)
    chosen = shoppers[:REQUESTS]
    try:
        titles = dict(_titles(connection, operations, chosen)) if "search" in name else {}
        return [
            PreparedCall(
                name,
                connection.run(
                    first_prediction(ask(operations, shopper, titles))
                ).SerializeToString(),
            )
            for shopper in chosen
        ]
    finally:
        connection.close()


def _titles(
    connection: Connection, operations: Operations, shoppers: Sequence[Shopper]
) -> Iterator[tuple[str, str]]:
    last = list({shopper.history[-1] for shopper in shoppers})
    for item in connection.run(operations.describe(last)):
        yield item.item_id, " ".join((item.title or "").split()[:WORDS]) or item.item_id


def row_of(summary: Summary) -> dict[str, float]:
    """Returns requests, empty answers, errors and milliseconds."""
    codes = summary.total.codes
    return {
        "requests": summary.total.requests,
        "empty": codes.get("EMPTY", 0),
        "errors": summary.total.errors - codes.get("EMPTY", 0),
        **numbers(summary.total.latency),
    }


def table(figures: dict[str, dict[str, float]], items: int, rate: float) -> Table:
    drawn = Table(title=f"Every surface at {rate:g} requests a second, {items} items")
    for name in ("surface", "p50 ms", "p99 ms", "requests", "empty", "errors"):
        drawn.add_column(name, justify="left" if name == "surface" else "right")
    for name, row in figures.items():
        drawn.add_row(
            name,
            *(f"{row[key]:.1f}" for key in ("p50", "p99")),
            *(f"{row[key]:.0f}" for key in ("requests", "empty", "errors")),
        )
    return drawn


if __name__ == "__main__":
    main()
