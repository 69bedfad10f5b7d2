"""Measures the models of a run against the baselines."""

from pathlib import Path

import click

from pipelines.console import table_console
from pipelines.options import moved_data_option, path_option, trained_run_option
from pipelines.running import run
from tfrec.config import load_config
from tfrec.files import atomic_file, check_writable


@click.command()
@trained_run_option
@click.option(
    "--split",
    required=True,
    metavar="valid|test",
    help="Part of the data to measure on; look at test once, when everything is decided.",
)
@moved_data_option
@click.option(
    "--repeats",
    type=click.Choice(["count", "exclude"]),
    help="Items a shopper had before: count them as hits, or leave them out. "
    "The run's configuration by default.",
)
@path_option(
    "--config",
    "config_file",
    metavar="YAML",
    help="Take the settings of the evaluation from here, not from the run.",
)
@path_option("--json", "json_file", metavar="FILE", help="Write the figures.")
@path_option(
    "--ranks",
    "ranks_file",
    metavar="FILE",
    help="Write the place of each target by each model, as Parquet.",
)
def command(
    run_folder: Path,
    split: str,
    data: Path | None,
    repeats: str | None,
    config_file: Path | None,
    json_file: Path | None,
    ranks_file: Path | None,
) -> None:
    """Measure the models of a run against baselines.

    Every model ranks the full catalogue for every shopper of the split; equal scores count
    against it. Popularity, ItemKNN and frozen BERT vectors are measured beside
    it, tuned on the validation split.
    """
    settings = None if config_file is None else load_config(config_file).evaluation
    for file in (json_file, ranks_file):
        if file is not None:
            check_writable(file)
    from tfrec.evaluation.rank_table import rank_table
    from tfrec.training.evaluation import cases_of, evaluate_run
    from tfrec.training.loading import TrainedRun

    trained = TrainedRun.open(run_folder, data)
    config = settings or trained.config.evaluation
    if repeats is not None:
        config = config.model_copy(update={"repeats": repeats})
    report = evaluate_run(trained, split, config, seed=trained.config.seed)
    report.print(table_console())
    if json_file is not None:
        report.write(json_file)
        click.echo(f"The figures are in {json_file}.")
    if ranks_file is not None:
        cases = cases_of(trained, split, config)
        table = rank_table(report, cases, trained.dataset.items["item_id"].to_numpy())
        with atomic_file(ranks_file) as temporary:
            table.to_parquet(temporary, index=False, compression="zstd")
        click.echo(f"The places of the targets are in {ranks_file}.")


if __name__ == "__main__":
    run(command)
