"""Prints the table of the baselines for a prepared data set.

    python -m benchmarks.baselines DATA [--split test] [--repeats exclude] [--vectors FILE.npy]

The text baseline needs a float32 array `[num_items, dimension]` in the order of the item table.
"""

import time
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from tfrec.config import EvaluationConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.evaluation import Cases, ItemKNN, Report, evaluate, tuned_baselines
from tfrec.evaluation.baselines import TextKNN


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--split", type=click.Choice(["valid", "test"]), default="test", show_default=True)
@click.option(
    "--repeats", type=click.Choice(["count", "exclude"]), default="exclude", show_default=True
)
@click.option("--vectors", type=click.Path(path_type=Path), help="text vectors, .npy")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="also write the figures")
def main(
    data: Path, split: str, repeats: str, vectors: Path | None, json_path: Path | None
) -> None:
    console = Console()
    dataset = PreparedDataset.open(data)
    config = EvaluationConfig(repeats=repeats)
    text_vectors = None if vectors is None else np.load(vectors)
    started = time.perf_counter()
    scorers = tuned_baselines(dataset, config, text_vectors)
    console.print(f"tuned on the validation split in {time.perf_counter() - started:.0f} s")
    for scorer in scorers:
        if isinstance(scorer, ItemKNN):
            console.print(scorer.settings)
        if isinstance(scorer, TextKNN):
            console.print(f"{scorer.name}: decay={scorer.decay}")
    cases = Cases.of(dataset, split, config)
    results = [
        evaluate(scorer, dataset, split, config, cases=cases, item_vectors=text_vectors)
        for scorer in scorers
    ]
    report = Report(results)
    report.print(console, against="item_knn")
    for result in results:
        console.print(f"{result.name}: scored and ranked in {result.seconds:.1f} s")
    if json_path is not None:
        report.write(json_path)


if __name__ == "__main__":
    main()
