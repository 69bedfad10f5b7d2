"""Trains the ranking model on the candidates of the run's retrieval model."""

from pathlib import Path

import click

from pipelines.options import path_option, training_options
from pipelines.running import run
from tfrec.config import change_config, load_config


@click.command()
@training_options
@path_option(
    "--feedback",
    metavar="DIR",
    help="Examples of `tfrec feedback labels` to train on; ranking.feedback.examples by default.",
)
def command(
    data: Path,
    out: Path,
    config: Path | None,
    seed: int | None,
    profile: bool,
    overwrite: bool,
    feedback: Path | None,
) -> None:
    """Train the ranking model on retrieved candidates.

    The run must hold a finished retrieval model. A training that was stopped continues when the
    same command is given again.
    """
    from tfrec.data.dataset import PreparedDataset
    from tfrec.training.run import RunDirectory

    # What is missing first is said first.
    RunDirectory.open(out, "retrieval")
    settings = load_config(config)
    if feedback is not None:
        changed = {"ranking.feedback.examples": str(feedback.absolute())}
        settings = change_config(settings, changed)
    dataset = PreparedDataset.open(data)
    # After the mistakes that can be said without TensorFlow, which takes seconds to import.
    from tfrec.training.stages import run_ranking

    directory, summary, quality = run_ranking(
        dataset, out, settings, seed=seed, overwrite=overwrite, profile=profile
    )
    figures = ", ".join(f"{name} {value:.4f}" for name, value in quality.items())
    click.echo(f"Ranking: {summary.sentence()}. The model is in {directory.path}.")
    click.echo(f"On held-out shoppers after calibration: {figures}")


if __name__ == "__main__":
    run(command)
