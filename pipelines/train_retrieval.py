"""Trains the retrieval model."""

from pathlib import Path

import click

from pipelines.options import path_option, training_options
from pipelines.running import run
from tfrec.config import load_config


@click.command()
@training_options
@path_option(
    "--from",
    "source",
    metavar="RUN",
    help="Finished run, usually of another shop, whose weights are taken where they fit.",
)
def command(
    data: Path,
    out: Path,
    config: Path | None,
    seed: int | None,
    profile: bool,
    overwrite: bool,
    source: Path | None,
) -> None:
    """Train the retrieval model.

    A training that was stopped continues when the same command is given again. Watch it with
    `tensorboard --logdir RUN`. With --from it starts from another shop's model; see
    docs/transfer.md.
    """
    settings = load_config(config)
    from tfrec.data.dataset import PreparedDataset

    dataset = PreparedDataset.open(data)
    # After the mistakes that can be said without TensorFlow, which takes seconds to import.
    from tfrec.training.stages import run_retrieval

    directory, summary = run_retrieval(
        dataset,
        out,
        settings,
        seed=seed,
        overwrite=overwrite,
        profile=profile,
        start_from=source,
    )
    click.echo(f"Retrieval: {summary.sentence()}. The model is in {directory.path}.")


if __name__ == "__main__":
    run(command)
