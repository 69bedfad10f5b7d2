"""Measures what training the BERT inside the retrieval model costs, and what each saving keeps.

    python -m benchmarks.text_training --data DIR --out FILE [--config YAML] [--policy top-n]
        [--positions 2048] [--steps 4] [--judged 4]

Every row trains the same model from the same start on the same batches, with another way to
encode the items' texts. "Naive" encodes every positive of every batch, as often as it is there,
through the whole BERT, padded to the longest of the batch. The rows below it add one saving each.
Steps are those of training, everything but validation included; the time is the median of all but
the first two, which trace the graph. "Loss" is the mean over batches of the next epoch, after the
text vectors of all items were refreshed, so that every row is judged alike. What a stopped run had
finished is kept in FILE.
"""

import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.table import Table

from pipelines.console import table_console
from tfrec.config import ExperimentConfig, change_config, load_config
from tfrec.files import read_json, write_json

if TYPE_CHECKING:
    from tfrec.data.dataset import PreparedDataset
    from tfrec.models.retrieval import RetrievalModel
    from tfrec.towers.bert.trained_texts import TrainedTexts

TRACED = 2
# Each with the settings that it changes; the last rows are what `tfrec train retrieval` does.
ROWS: dict[str, dict[str, Any]] = {
    "untrained BERT (frozen)": {"policy": "frozen"},
    "naive: every positive, whole BERT": {"texts_per_step": 0, "cache_activations": "off"},
    "each distinct text once": {"texts_per_step": 0, "cache_activations": "off"},
    "+ sorted by length, kept activations": {"texts_per_step": 0},
    "+ at most 512 texts a step": {"texts_per_step": 512},
    "+ at most 256 texts a step": {"texts_per_step": 256},
    "+ at most 128 texts a step": {"texts_per_step": 128},
    "+ at most 64 texts a step": {"texts_per_step": 64},
}
NAIVE = "naive: every positive, whole BERT"
PLAIN = (NAIVE, "each distinct text once")


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Prepared data set.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="JSON of the figures.")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration.")
@click.option("--policy", default="top-n", show_default=True, help="What of the BERT trains.")
@click.option("--learning-rate", default=1e-4, show_default=True, help="Of the BERT.")
@click.option("--positions", default=2048, show_default=True, help="Positions a step.")
@click.option("--steps", default=4, show_default=True, help="Steps of every row.")
@click.option("--judged", default=4, show_default=True, help="Batches that the loss is taken of.")
@click.option("--row", "chosen", multiple=True, help="Beginning of a row's name; all by default.")
def main(
    data: Path,
    out: Path,
    config: Path | None,
    policy: str,
    learning_rate: float,
    positions: int,
    steps: int,
    judged: int,
    chosen: tuple[str, ...],
) -> None:
    """Train a few steps in every way, and print the table."""
    from tfrec.data.dataset import PreparedDataset

    if steps <= TRACED:
        raise click.BadParameter(f"should be more than {TRACED}", param_hint="--steps")
    settings = load_config(config)
    dataset = PreparedDataset.open(data)
    done: dict[str, Any] = read_json(out) if out.exists() else {}
    for name, changes in ROWS.items():
        if name in done or (chosen and not name.startswith(chosen)):
            continue
        text = {"policy": policy, "learning_rate": learning_rate, **changes}
        row = change_config(
            settings,
            {
                **{f"text.{key}": value for key, value in text.items()},
                "retrieval.training.batch_positions": positions,
            },
        )
        done[name] = measure(name, dataset, row, steps, judged)
        write_json(out, done)
    table_console().print(table_of(done, f"{policy}, {positions} positions, {steps} steps"))


def measure(
    name: str, dataset: "PreparedDataset", config: ExperimentConfig, steps: int, judged: int
) -> dict[str, float]:
    """Returns seconds a step, texts a step and the loss afterwards.

    Args:
        name: the row.
        dataset: the prepared data set.
        config: its settings.
        steps: how many are taken.
        judged: batches of the next epoch that the loss is taken of.
    """
    import tensorflow as tf

    from tfrec.data.input import InputOptions, training_batches
    from tfrec.training.optimizer import make_optimizer
    from tfrec.training.step import make_train_step, trained_variables
    from tfrec.training.text import text_learning_rates

    tf.keras.utils.set_random_seed(config.seed)
    model = build(name, dataset, config)
    texts = model.catalogue.texts
    optimizer = make_optimizer(
        config.retrieval.training, trained_variables(model.parts), text_learning_rates(config.text)
    )
    step = make_train_step(model, optimizer, model.parts)
    options = InputOptions.of(config.retrieval, config.seed)
    seconds, encoded = [], []
    for batch in training_batches(dataset, options, epoch=0).take(steps):
        started = time.monotonic()
        float(step(batch)["loss"])
        seconds.append(time.monotonic() - started)
        encoded.append(texts_of(name, batch, texts))
        print(f"{name}: step {len(seconds)}, {seconds[-1]:.1f} s", file=sys.stderr, flush=True)
    model.catalogue.texts = None
    if texts is not None:
        model.catalogue.set_text(texts.encode_all())
    losses = [
        float(model.compute_loss(batch, training=False))
        for batch in training_batches(dataset, options, epoch=1).take(judged)
    ]
    return {
        "seconds": statistics.median(seconds[TRACED:]),
        "texts": float(np.mean(encoded[TRACED:])),
        "loss": float(np.mean(losses)),
    }


def build(name: str, dataset: "PreparedDataset", config: ExperimentConfig) -> "RetrievalModel":
    """Returns a model as training makes it, but for the way of a row to encode texts."""
    from benchmarks.plain_texts import DistinctTexts, EveryPositive
    from tfrec.models.retrieval import RetrievalModel
    from tfrec.towers.catalogue import Catalogue
    from tfrec.towers.features import ItemFeatures
    from tfrec.towers.spec import DataSpec
    from tfrec.training.retrieval import item_frequency
    from tfrec.training.text import item_text_vectors, trained_texts

    vectors = item_text_vectors(dataset, config.text)
    features = ItemFeatures.of(dataset, vectors)
    texts = trained_texts(dataset, config.text)
    if texts is not None and name in PLAIN:
        kind = EveryPositive if name == NAIVE else DistinctTexts
        texts = kind(texts.tower, texts.tokens, texts.cost)
    model = RetrievalModel(
        Catalogue(features, None if texts is None else texts.tower, texts),
        DataSpec.of(dataset, features),
        config.retrieval,
        item_frequency(dataset),
    )
    model.item_tower.adapt(vectors, features.price[1:])
    model.build_weights()
    return model


def texts_of(name: str, batch: dict[str, Any], texts: "TrainedTexts | None") -> int:
    """Returns how many texts a step encodes."""
    if texts is None:
        return 0
    targets = batch["target"].numpy()
    if name == NAIVE:
        return int(np.count_nonzero(targets))
    items = np.union1d(targets, batch["item"].numpy())
    rows = len(np.unique(texts.tokens.row_of_text[items[items > 0] - 1]))
    return min(rows, texts.cost.texts_per_step or rows)


def table_of(rows: dict[str, dict[str, float]], title: str) -> Table:
    """Returns the figures for people."""
    table = Table(title=title)
    for heading in ("way", "texts a step", "seconds a step", "steps a second", "times", "loss"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    naive = rows.get(NAIVE, {}).get("seconds")
    for name in [row for row in ROWS if row in rows]:
        row = rows[name]
        table.add_row(
            name,
            f"{row['texts']:.0f}",
            f"{row['seconds']:.2f}",
            f"{1 / row['seconds']:.3f}",
            "" if naive is None else f"{naive / row['seconds']:.1f}",
            f"{row['loss']:.4f}",
        )
    return table


if __name__ == "__main__":
    main()
