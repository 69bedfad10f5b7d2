"""Prints how well it is told who buys what a campaign advertises.

    python -m benchmarks.campaign --run RUN [--data DATA] [--json FILE]

Creatives are words of the titles that several products have in common, such as "lunch bag"; a
shopper has bought if he chooses any of these products in the test period. Nothing was fitted on the
themes that are measured, nor on that period. The shoppers are of the log before it, those too who
buy nothing in it.
"""

from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import json_option, run_options
from tfrec.evaluation.calibration import calibration_curve
from tfrec.evaluation.probabilities import auc, expected_calibration_error, log_loss
from tfrec.files import write_json
from tfrec.surfaces.campaign import FEATURES, Campaign
from tfrec.surfaces.logistic import probabilities
from tfrec.towers.bert.weights import find_weights
from tfrec.training.campaign import (
    audience_of,
    creative_vectors,
    described,
    fit_campaign,
    split_themes,
)
from tfrec.training.loading import TrainedRun
from tfrec.training.retrieval import text_tower_of


@click.command()
@run_options
@json_option
def main(run_folder: Path, data: Path | None, json_path: Path | None) -> None:
    """Measure the probabilities of campaigns."""
    run = TrainedRun.open(run_folder, data)
    dataset, seed = run.dataset, run.config.seed
    encode = text_tower_of(
        run.retrieval, find_weights(run.config.text.bert), run.config.text.max_tokens
    )
    fitted, validation = fit_campaign(dataset, run.retrieval, encode, seed=seed)
    _, themes = split_themes(dataset, seed)
    audience = audience_of(dataset, "test", themes, seed=seed)
    creatives = creative_vectors(themes, encode)
    features = described(Campaign(fitted), run.retrieval, audience, creatives)
    labels = audience.bought.ravel()
    shape = audience.bought.shape
    before = audience_of(dataset, "valid", themes, seed=seed).bought
    ranked = np.broadcast_to(before.mean(axis=0).clip(1e-4), shape).ravel()
    models = {
        "base rate of the test period": np.full(len(labels), labels.mean()),
        "base rate of the period before": np.full(len(labels), before.mean()),
        "each theme's rate in the period before": ranked,
        "campaign": probabilities(features, fitted.weights).ravel(),
    }
    figures = {
        name: {
            "log_loss": log_loss(labels, values),
            "ece": expected_calibration_error(labels, values),
            "auc": auc(labels, values),
            "mean": float(values.mean()),
        }
        for name, values in models.items()
    }
    names = dict(zip(FEATURES, np.round(fitted.weights.astype(float), 3).tolist(), strict=True))
    click.echo(f"centre {float(fitted.centre):.2f}, weights {names}, validation {validation}")
    Console().print(table(figures, shape, float(labels.mean())))
    curve = calibration_curve(labels, models["campaign"])
    for said, seen in zip(curve.predicted, curve.observed, strict=True):
        click.echo(f"said {said:.4f}, seen {seen:.4f}")
    if json_path is not None:
        write_json(json_path, {"models": figures, "validation": validation})


def table(figures: dict[str, dict[str, float]], shape: tuple[int, ...], rate: float) -> Table:
    drawn = Table(title=f"{shape[0]} shoppers x {shape[1]} unseen creatives, {rate:.4f} buy")
    drawn.add_column("probability by")
    for name in ("log loss", "calibration error", "AUC", "mean"):
        drawn.add_column(name, justify="right")
    for name, found in figures.items():
        drawn.add_row(name, *(f"{found[key]:.4f}" for key in ("log_loss", "ece", "auc", "mean")))
    return drawn


if __name__ == "__main__":
    main()
