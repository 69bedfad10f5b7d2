"""What diversifying costs a request: the recommender's SavedModel with and without it, in turns.

Run: ``python -m benchmarks.display_order --run RUN --histories FILE``

One recommender is exported with a signature a display order, from the same run. The signatures
answer the same requests in this process, one request a time, in turns and in an order that changes
with every request, so that whatever else the machine does strikes all of them alike. What a request
takes longer than with the order of the ranking model is taken request by request, and the table
shows the median of these differences. On a machine that does other work as well, the difference of
the quickest tenth of the times (p10) is nearer to the cost itself.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from serving.loadtest.shoppers import Shopper, read_shoppers
from tfrec.config import ExperimentConfig, change_config
from tfrec.progress import progress

import tensorflow as tf  # isort: skip

PLACES, DEPTH, DIVERSITY = 20, 100, 0.3
PLAIN = "serving_default"
SURFACES: dict[str, dict[str, Any]] = {
    "mmr": {"method": "mmr", "diversity": DIVERSITY},
    "dpp": {"method": "dpp", "diversity": DIVERSITY},
    "mmr_all_rules": {"method": "mmr", "diversity": DIVERSITY, "exploration_share": 0.1},
}
WARM_UP = 50
KEYS = ("quiet", "median", "p99", "more", "quiet_more")


def measure(run: Path, histories: Path, requests: int) -> dict[str, Any]:
    """Returns milliseconds a request by display order.

    Args:
        run: a trained run.
        histories: from ``tfrec data histories``.
        requests: how many to ask of each signature.
    """
    shoppers = read_shoppers(histories)[: requests + WARM_UP]
    with tempfile.TemporaryDirectory(prefix="display-") as scratch:
        names, signatures = _load(run, Path(scratch))
        times = np.zeros((len(shoppers), len(names)))
        random = np.random.default_rng(0)
        for row, shopper in enumerate(progress(shoppers, description="Asking", unit="request")):
            inputs = {name: _inputs(signatures[name], shopper) for name in names}
            for column in random.permutation(len(names)):
                signature, given = signatures[names[column]], inputs[names[column]]
                start = time.perf_counter()
                signature(**given)["item_id"].numpy()
                times[row, column] = time.perf_counter() - start
    times = 1e3 * times[WARM_UP:]
    more = times - times[:, [names.index(PLAIN)]]
    return {
        "requests": len(times),
        "candidates": DEPTH,
        "places": PLACES,
        "milliseconds": {
            name: {
                "quiet": float(np.percentile(times[:, column], 10)),
                "median": float(np.median(times[:, column])),
                "p99": float(np.percentile(times[:, column], 99)),
                "more": float(np.median(more[:, column])),
                "quiet_more": float(
                    np.subtract(*np.percentile(times[:, [column, names.index(PLAIN)]], 10, axis=0))
                ),
            }
            for column, name in enumerate(names)
        },
    }


def _load(run: Path, scratch: Path) -> tuple[list[str], dict[str, Any]]:
    """Exports the recommender with all signatures, and loads it."""
    from tfrec.export.exporter import exportable_of
    from tfrec.export.saving import save_model
    from tfrec.export.served_models import ServedModels
    from tfrec.towers.bert.weights import find_weights
    from tfrec.training.loading import TrainedRun

    trained = TrainedRun.open(run)
    source = exportable_of(run, trained, _settings(trained.config, trained))
    assets = scratch / "assets"
    assets.mkdir()
    served = ServedModels(source, find_weights(source.config.text.bert), assets)
    folder = scratch / "recommender"
    save_model(folder, served.signatures["recommender"], served.tables["recommender"])
    loaded = tf.saved_model.load(str(folder))
    # Whatever is not held on to is freed with the graphs that read it.
    signatures = dict(loaded.signatures) | {"": loaded}
    return list(loaded.signatures), signatures


def _settings(config: ExperimentConfig, trained: Any) -> ExperimentConfig:
    stocked = trained.dataset.items[trained.dataset.items["available"]]["item_id"].tolist()
    surfaces = {
        name: {"places": PLACES, "depth": DEPTH, **settings} for name, settings in SURFACES.items()
    }
    surfaces["mmr_all_rules"] |= {
        "caps": {column: 3 for column in list(trained.retrieval.spec.categories)[:2]},
        "pinned": [{"item_id": stocked[0], "place": 2}],
        "promoted": [{"item_id": stocked[1], "boost": 1.5, "within": 8}],
    }
    return change_config(config, {"display.surfaces": surfaces})


def _inputs(signature: Any, shopper: Shopper) -> dict[str, tf.Tensor]:
    length = len(shopper.history)
    given: dict[str, Any] = {
        "history_item_id": [shopper.history or [""]],
        "history_event": [shopper.events or [""] * max(1, length)],
        "history_timestamp": [shopper.timestamps or [0] * max(1, length)],
        "exclude_item_id": [[""]],
    }
    specs = signature.structured_input_signature[1]
    return {name: tf.constant(given.get(name, [""]), spec.dtype) for name, spec in specs.items()}


def table(result: dict[str, Any]) -> Table:
    """Returns the result for people."""
    title = (
        f"{result['candidates']} candidates to {result['places']} places, batch 1, "
        f"{result['requests']} requests in turns"
    )
    table = Table(title=title, title_justify="left")
    columns = ("display order", "p10 ms", "median ms", "p99 ms", "more, median ms", "more, p10 ms")
    for column in columns:
        table.add_column(column, justify="left" if column == "display order" else "right")
    for name, figures in result["milliseconds"].items():
        label = "none" if name == PLAIN else name.replace("_", " ")
        table.add_row(label, *(f"{figures[key]:.3f}" for key in KEYS))
    return table


@click.command()
@click.option("--run", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--histories", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--requests", default=1000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
def main(run: Path, histories: Path, requests: int, as_json: bool) -> None:
    result = measure(run, histories, requests)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        Console().print(table(result))


if __name__ == "__main__":
    main()
