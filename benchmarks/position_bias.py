"""Whether a ranking model that learns from clicks finds the true order, on simulated shops.

    python -m benchmarks.position_bias [--repeats 3] [--lists 10000] [--json FILE]

Assumptions: whether a shopper likes an item he looks at depends on one feature; the shop that made
the log ordered by another, which is its opposite but for noise, and left a tenth of the places to
chance. Place k of 8 is looked at k to the power of minus the steepness of the time. The ranking
model has the two features and two that say nothing, and is trained on whole lists and single
candidates as `tfrec train ranking` does. `tau` is Kendall's, between the model's order and the true
one, over all items of a list: 1 is the true order, 0 chance, -1 the opposite. `clicks as they are`
takes every click for what it is worth; `estimated` weighs by the chances of places estimated from
the same clicks, `known` by the true ones. `error` is the largest relative error of the estimated
chances.
"""

from pathlib import Path
from typing import Any

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

import tfrec  # noqa: F401  (decides which Keras TensorFlow gets)
from benchmarks.measuring import json_option
from tfrec.config import RankingConfig
from tfrec.feedback.position_bias import estimate_examination, score_groups
from tfrec.feedback.simulation import SimulatedLog, simulate
from tfrec.files import write_json
from tfrec.models.ranking import RankingModel
from tfrec.progress import progress

import tensorflow as tf  # isort: skip

ITEMS, PLACES, FEATURES = 12, 8, 5
WANTED, PUSHED = 3, 4  # after those of the retrieval model, which say nothing here
SHARE = 0.1
STEEPNESS = (0.0, 0.5, 1.0, 1.5)
STEPS, LEARNING_RATE = 200, 0.005
LEAST = 0.02


def shop(lists: int, steepness: float, seed: int) -> tuple[np.ndarray, SimulatedLog, np.ndarray]:
    """Returns features `[lists, items, features]`, the log, and how places are looked at."""
    random = np.random.default_rng(seed)
    features = np.zeros((lists, ITEMS, FEATURES), np.float32)
    features[..., WANTED] = random.normal(size=(lists, ITEMS))
    features[..., PUSHED] = random.normal(size=(lists, ITEMS)) - 0.8 * features[..., WANTED]
    features[..., 0] = random.normal(size=(lists, ITEMS))
    attraction = 0.5 / (1.0 + np.exp(1.0 - 0.8 * features[..., WANTED]))
    looks = np.arange(1, PLACES + 1) ** -steepness
    log = simulate(attraction, features[..., PUSHED], looks, share=SHARE, random=random)
    return features, log, looks


def estimated_looks(log: SimulatedLog) -> np.ndarray:
    """Returns how places are looked at by the clicks, float64 `[places]`."""
    lists = len(log.clicks)
    scores, clicked = log.scores[:, :PLACES].ravel(), log.clicks.ravel()
    positions = np.tile(np.arange(1, PLACES + 1), lists)
    groups = score_groups(scores, clicked, np.zeros(len(scores)))
    return estimate_examination(positions, clicked, groups).chances


def tau(features: np.ndarray, log: SimulatedLog, looks: np.ndarray, seed: int) -> float:
    """Trains a model on the clicks with these chances of places; returns Kendall's tau."""
    tf.keras.utils.set_random_seed(seed)
    config = RankingConfig(hidden_units=[8], cross_layers=1, dropout=0.0)
    model = RankingModel(FEATURES, ["click"], None, config)
    shown = np.take_along_axis(features, log.items[:, :PLACES, None], axis=1)
    model(tf.constant(shown[:1]))
    batch = {
        "features": tf.constant(shown),
        "present": tf.ones(log.clicks.shape),
        "label/click": tf.constant(log.clicks, tf.float32),
        "examination": tf.constant(np.tile(np.maximum(looks, LEAST), (len(shown), 1)), tf.float32),
    }
    optimizer = tf.keras.optimizers.Adam(LEARNING_RATE)

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch)
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

    for _ in range(STEPS):
        step()
    logits = model(tf.constant(features))["click"].numpy()
    truth = features[..., WANTED]
    signs = [np.sign(values[:, :, None] - values[:, None, :]) for values in (truth, logits)]
    return float((signs[0] * signs[1])[signs[0] != 0].mean())


def measure(repeats: int, lists: int) -> list[dict[str, Any]]:
    """Returns the order found with and without correction, by steepness."""
    rows = []
    for steepness in STEEPNESS:
        found: dict[str, list[float]] = {"as they are": [], "estimated": [], "known": []}
        errors = []
        for seed in progress(range(repeats), description=f"Steepness {steepness}", unit="shop"):
            features, log, looks = shop(lists, steepness, seed)
            estimated = estimated_looks(log)
            errors.append(float(np.abs(estimated / looks - 1).max()))
            for name, used in (
                ("as they are", np.ones(PLACES)),
                ("estimated", estimated),
                ("known", looks),
            ):
                found[name].append(tau(features, log, used, seed))
        rows.append({"steepness": steepness, "error": max(errors), "tau": found})
    return rows


@click.command()
@click.option("--repeats", default=3, show_default=True, help="Shops of each steepness.")
@click.option("--lists", default=10_000, show_default=True, help="Lists of a log.")
@json_option
def main(repeats: int, lists: int, json_path: Path | None) -> None:
    rows = measure(repeats, lists)
    table = Table("steepness", "last place", box=box.MARKDOWN)
    for name in ("clicks as they are", "estimated", "known", "error"):
        table.add_column(name, justify="right")
    for row in rows:
        taus = [
            f"{np.mean(values):+.3f} ({min(values):+.3f} to {max(values):+.3f})"
            for values in row["tau"].values()
        ]
        last = f"{PLACES ** -row['steepness']:.3f}"
        table.add_row(f"{row['steepness']:.1f}", last, *taus, f"{row['error']:.0%}")
    Console(width=130).print(table)
    if json_path is not None:
        write_json(json_path, {"repeats": repeats, "lists": lists, "rows": rows})


if __name__ == "__main__":
    main()
