"""What the benchmarks of serving share: options, a folder to play in, how results are printed."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console, RenderableType

from serving.loadtest.summary import Latency
from serving.model_folder import find_models, versions_of


def benchmark_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that every benchmark of serving has."""
    path = click.Path(exists=True, path_type=Path)
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table."),
        click.option("--histories", type=path, required=True, help="From `tfrec data histories`."),
        click.option("--models", type=path, required=True, help="From `tfrec export`."),
    ):
        function = option(function)
    return function


def copy_newest(models: Path, target: Path) -> Path:
    """Copies the newest version of every model, as version 1, and returns `target`."""
    for model in find_models(models):
        newest = versions_of(model.path)[model.versions[0]]
        shutil.copytree(newest, target / model.name / "1")
    return target


def numbers(latency: Latency) -> dict[str, float]:
    """Returns milliseconds by name, to a hundredth."""
    return {name: round(value, 2) for name, value in asdict(latency).items()}


def show(result: Any, table: RenderableType, as_json: bool) -> None:
    """Prints a result for machines or for people."""
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        Console().print(table)
