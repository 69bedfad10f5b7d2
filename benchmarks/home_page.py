"""Prints what a home page of several shelves hits, beside one list of the same length.

    python -m benchmarks.home_page --run RUN [--data DATA] [--json FILE]

The exported graph is asked for the shoppers of the test period, with re-purchases as hits, at the
time at which the period begins. A hit is a product of the page that its shopper chooses in that
period. The flat list is the recommender's, cut to as many products as the page has. Hits that the
shopper never had before, and the share of the catalogue that all pages together show, stand beside.
"""

import tempfile
from collections import defaultdict
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import json_option, run_options, with_intervals
from tfrec.config import EvaluationConfig
from tfrec.data.records import CONTEXT_PREFIX, Histories, batches_by_length
from tfrec.evaluation import Cases
from tfrec.export.exporter import exportable_of
from tfrec.export.served_models import ServedModels
from tfrec.files import write_json
from tfrec.progress import progress
from tfrec.towers.bert.weights import find_weights
from tfrec.towers.histories import pad_histories
from tfrec.training.loading import TrainedRun

BATCH = 32


@click.command()
@run_options
@json_option
def main(run_folder: Path, data: Path | None, json_path: Path | None) -> None:
    """Measure the home page."""
    run = TrainedRun.open(run_folder, data)
    source = exportable_of(run_folder, run)
    cases = Cases.of(run.dataset, "test", EvaluationConfig(repeats="count"))
    start = int(run.dataset.histories("test").target_timestamp.min())
    ids = np.array(["", *run.dataset.items["item_id"]])
    index = {item: place for place, item in enumerate(ids)}
    with tempfile.TemporaryDirectory() as scratch:
        served = ServedModels(source, find_weights(run.config.text.bert), Path(scratch))
        names = ("home_page", "serving_default")
        graphs = {name: served.signatures["recommender"][name].trace() for name in names}
        pages: list[np.ndarray] = []
        states: list[np.ndarray] = []
        flat: list[np.ndarray] = []
        kinds: list[str] = []
        batches = batches_by_length(cases.histories.lengths, BATCH)
        for rows in progress(batches, description="Pages", unit="batch"):
            request = inputs_of(cases.histories.select(rows), ids, run, start)
            page = graphs["home_page"](**request)
            del request["now"]
            listed = graphs["serving_default"](**request)["item_id"].numpy()
            pages.extend(indexed(page["item_id"].numpy(), index))
            states.extend(page["state"].numpy().astype(str))
            kinds = page["shelf"].numpy()[0].astype(str).tolist()
            flat.extend(indexed(listed, index))
    figures = measured(
        np.array(pages),
        np.array(states),
        np.array(flat),
        kinds,
        cases.select(np.concatenate(batches)),
    )
    console = Console()
    console.print(table(figures))
    console.print(table_of_shelves(figures))
    if json_path is not None:
        write_json(json_path, figures)


def inputs_of(histories: Histories, ids: np.ndarray, run: TrainedRun, now: int) -> dict:
    """Returns the tensors of a request about these shoppers."""
    # After tfrec, which chooses the Keras that TensorFlow comes with.
    import tensorflow as tf

    events = np.array(["", *run.dataset.event_types])
    lengths = histories.lengths
    padded = {
        name: values.numpy()
        for name, values in pad_histories(histories, int(lengths.max())).items()
    }
    request = {
        "history_item_id": tf.constant(ids[padded["item"]]),
        "history_event": tf.constant(events[padded["event"]]),
        "history_timestamp": tf.constant(padded["timestamp"], tf.int64),
        "exclude_item_id": tf.constant([[""]] * len(histories)),
        "now": tf.fill([len(histories)], tf.constant(now, tf.int64)),
    }
    for column, names in run.retrieval.spec.contexts.items():
        known = np.array(["", *names])
        last = padded[f"{CONTEXT_PREFIX}{column}"][np.arange(len(lengths)), lengths - 1]
        request[f"context_{column}"] = tf.constant(known[np.where(lengths > 0, last, 0)])
    return request


def indexed(item_ids: np.ndarray, index: dict[str, int]) -> np.ndarray:
    """Returns item indices of ids as bytes, of the same shape."""
    flat = [index[item.decode()] for item in item_ids.ravel()]
    return np.array(flat, np.int64).reshape(item_ids.shape)


def measured(
    pages: np.ndarray, states: np.ndarray, flat: np.ndarray, kinds: list[str], cases: Cases
) -> dict:
    """Returns figures of pages `[shoppers, shelves, places]` and lists `[shoppers, k]`."""
    hits: dict[str, list[int]] = defaultdict(list)
    shown: dict[str, list[int]] = defaultdict(list)
    catalogue: tuple[set[int], set[int]] = (set(), set())
    recalls, duplicates = [], 0
    for row in range(len(cases)):
        targets = cases.target_item[cases.target_offsets[row] : cases.target_offsets[row + 1]]
        everything = pages[row][pages[row] > 0]
        duplicates += len(everything) - len(np.unique(everything))
        listed = flat[row][flat[row] > 0][: len(everything)]
        for shelf, kind in enumerate(kinds):
            items = pages[row, shelf][pages[row, shelf] > 0]
            hits[kind].append(int(np.isin(items, targets).sum()))
            shown[kind].append(len(items))
        had = cases.histories.item[cases.histories.history(row)]
        line = []
        for place, products in enumerate((everything, listed)):
            hit = products[np.isin(products, targets)]
            line += [len(hit), len(hit) / len(targets), int((~np.isin(hit, had)).sum())]
            catalogue[place].update(products.tolist())
        recalls.append(line)
    assert duplicates == 0, f"{duplicates} products stand twice on a page"
    means, half = zip(*with_intervals(np.array(recalls)), strict=True)
    return {
        "shoppers": len(cases),
        "duplicates": duplicates,
        "products": float(np.mean([sum(line) for line in zip(*shown.values(), strict=True)])),
        **{
            name: {
                "hits": means[3 * place],
                "±": half[3 * place],
                "recall": means[3 * place + 1],
                "±recall": half[3 * place + 1],
                "new_hits": means[3 * place + 2],
                "±new": half[3 * place + 2],
                "coverage": len(catalogue[place]) / cases.num_items,
            }
            for place, name in enumerate(("page", "flat"))
        },
        "shelves": {
            kind: {
                "hits": float(np.mean(hits[kind])),
                "products": float(np.mean(shown[kind])),
                "precision": sum(hits[kind]) / max(1, sum(shown[kind])),
                "states": {
                    str(state): float(np.mean(states[:, place] == state))
                    for state in np.unique(states[:, place])
                },
            }
            for place, kind in enumerate(kinds)
        },
    }


def table(figures: dict) -> Table:
    title = f"Pages of {figures['shoppers']} shoppers, {figures['products']:.1f} products each"
    drawn = Table(title=f"{title}, {figures['duplicates']} twice")
    for name in ("", "products", "hits", "new to the shopper", "recall", "catalogue shown"):
        drawn.add_column(name, justify="left" if not name else "right")
    for name in ("page", "flat"):
        found = figures[name]
        drawn.add_row(
            "page" if name == "page" else "one list, as long",
            f"{figures['products']:.1f}",
            f"{found['hits']:.3f} ±{found['±']:.3f}",
            f"{found['new_hits']:.3f} ±{found['±new']:.3f}",
            f"{found['recall']:.4f} ±{found['±recall']:.4f}",
            f"{found['coverage']:.3f}",
        )
    return drawn


def table_of_shelves(figures: dict) -> Table:
    drawn = Table(title="The shelves, from the top")
    for name in ("", "products", "hits", "hits a product", "state"):
        drawn.add_column(name, justify="left" if name in ("", "state") else "right")
    for kind, found in figures["shelves"].items():
        states = ", ".join(f"{state} {share:.0%}" for state, share in found["states"].items())
        drawn.add_row(
            kind,
            f"{found['products']:.1f}",
            f"{found['hits']:.3f}",
            f"{found['precision']:.4f}",
            states,
        )
    return drawn


if __name__ == "__main__":
    main()
