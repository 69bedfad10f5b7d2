"""What a second shop gains from the model of a first one, by how much of its own log it has.

    python -m benchmarks.transfer --out DIR \
        --shop beauty EVENTS ITEMS configs/amazon_beauty.yaml \
        --shop scientific EVENTS ITEMS configs/amazon_scientific.yaml

Each of the two shops is the source of the other. A source is trained on all of its events without
ids and categories (`content_only`); a target has the training and validation events of a share of
its shoppers, and all arms are asked for the same test shoppers. Events are Parquet; their times
are left out unless both shops have them. What a stopped run had finished is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.quality import step
from benchmarks.shares import share_of
from pipelines.console import table_console
from tfrec.config import EvaluationConfig, change_config, dump_config, load_config
from tfrec.data.dataset import PreparedDataset
from tfrec.evaluation.bootstrap import bootstrap_interval
from tfrec.files import atomic_file, read_json, write_json

METRICS = ("recall@10", "ndcg@10")
SAMPLES = 2000
NEIGHBOURS = 50
"""Of the memory, which both arms count from the share of events."""
GOAL = (0.1, 0.3)
"""The share with which a transferred model should beat one from scratch, and the latter's share."""
PATIENCE, EPOCHS = 5, 60
"""Of the trainings on a share: its epochs are short, and its validation shoppers few."""
SOURCE_EPOCHS, SOURCE_PATIENCE = 8, 2
AVERAGE_DECAY = 0.95
"""Of the weights of both arms; on Scientific's validation shoppers both were better with it."""
SCRATCH, TRANSFERRED, FROZEN = "from scratch", "transferred", "frozen BERT"
MEMORY = " + memory"
ZERO_SHOT_TRUST = {"transfer.text_trust": 0.5, "transfer.lstm_trust": 0.0}
"""Without an event there is nothing to fit it to: half of what texts taught, and averages alone, as
the LSTM was of no use to Scientific's validation shoppers."""


@dataclass(frozen=True)
class Shop:
    """One of the two shops.

    Attributes:
        name: in folders and tables.
        events: its log, Parquet.
        items: its catalogue.
        config: the configuration that is its own.
        folder: for its data and what is trained.
    """

    name: str
    events: str
    items: str
    config: str
    folder: Path

    @property
    def data(self) -> Path:
        """Its prepared data set."""
        return self.folder / "data"

    def settings(self, out: Path, changes: dict[str, Any] | None = None) -> Path:
        """Writes the shop's configuration to `out`, with changes as for `change_config`."""
        always = {
            "text.cache_dir": str(self.folder.parent / "text_vectors"),
            "retrieval.training.tensorboard": False,
        }
        config = change_config(load_config(self.config), {**(changes or {}), **always})
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(out) as temporary:
            temporary.write_text(dump_config(config), encoding="utf-8")
        return out


@click.command()
@click.option(
    "--shop",
    "shops",
    multiple=True,
    nargs=4,
    required=True,
    metavar="NAME EVENTS ITEMS YAML",
    help="A shop; give two.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the runs.")
@click.option(
    "--share",
    "shares",
    multiple=True,
    type=click.FloatRange(0, 1, min_open=True),
    default=(0.1, 0.3, 0.01, 1.0),
    show_default=True,
    help="Shares of a target's shoppers, in the order in which they are measured.",
)
@click.option("--seed", default=42, show_default=True, help="Of the trainings and of the shares.")
@click.option("--to", "only", multiple=True, metavar="NAME", help="Targets; both by default.")
def main(
    shops: tuple[tuple[str, str, str, str], ...],
    out: Path,
    shares: tuple[float, ...],
    seed: int,
    only: tuple[str, ...],
) -> None:
    """Train sources, start the other shop from them with shares of its events, and compare."""
    if len(shops) != 2:
        raise click.UsageError(f"give --shop twice, not {len(shops)} times")
    first, second = (Shop(*words, folder=out / words[0]) for words in shops)
    timed = all("timestamp" in pd.read_parquet(shop.events).columns for shop in (first, second))
    for shop in (first, second):
        prepare(shop, timed)
    console = table_console()
    for source, target in ((first, second), (second, first)):
        if only and target.name not in only:
            continue
        train_source(source, seed)
        measure_frozen(target)
        for share in (0.0, *shares):
            measure_share(source, target, share, seed)
            console.print(table_of(target.folder / "figures", f"{source.name} to {target.name}"))
    write_json(
        out / "summary.json",
        {
            f"{source.name} to {target.name}": list(rows_of(target.folder / "figures"))
            for source, target in ((first, second), (second, first))
        },
    )


def prepare(shop: Shop, timed: bool) -> None:
    """Makes the data set of a shop."""
    shop.folder.mkdir(parents=True, exist_ok=True)
    log = shop.folder / "events.parquet"
    if not log.exists():
        events = pd.read_parquet(shop.events)
        with atomic_file(log) as temporary:
            events.drop(columns=[] if timed else ["timestamp"], errors="ignore").to_parquet(
                temporary
            )
    step(
        shop.folder / "prepare.json",
        *("data", "prepare", "--events", str(log), "--items", shop.items),
        *("--out", str(shop.data), "--config", str(shop.settings(shop.folder / "shop.yaml"))),
    )
    PreparedDataset.open(shop.data)


def train_source(shop: Shop, seed: int) -> None:
    """Trains a model of a shop that knows no ids and categories."""
    settings = shop.settings(
        shop.folder / "source.yaml",
        {
            "retrieval.content_only": True,
            "retrieval.training.epochs": SOURCE_EPOCHS,
            "retrieval.training.patience": SOURCE_PATIENCE,
        },
    )
    step(
        shop.folder / "source.json",
        *("train", "retrieval", "--data", str(shop.data), "--out", str(shop.folder / "source")),
        *("--config", str(settings), "--seed", str(seed)),
    )


def measure_frozen(target: Shop) -> None:
    """Measures the neighbours of frozen text vectors; their one setting is tuned on validation."""
    figures = target.folder / "figures" / "0" / f"{FROZEN}.json"
    if figures.exists():
        return
    from tfrec.evaluation import TextKNN, evaluate
    from tfrec.evaluation.tuning import TEXT_KNN_OPTIONS
    from tfrec.training.text import item_text_vectors

    dataset = PreparedDataset.open(target.data)
    vectors = item_text_vectors(dataset, load_config(target.folder / "shop.yaml").text)
    candidates = [TextKNN.fit(dataset, vectors, decay=d) for d in TEXT_KNN_OPTIONS["decay"]]
    one = EvaluationConfig(cutoffs=[10], bootstrap_samples=1)
    best = max(candidates, key=lambda c: evaluate(c, dataset, "valid", one).metrics["ndcg@10"])
    record(figures, evaluate(best, dataset, "test", one).per_case, {"decay": best.decay})


def measure_share(source: Shop, target: Shop, share: float, seed: int) -> None:
    """Trains both arms on a share of the target's events, and asks them for the test shoppers."""
    dataset = PreparedDataset.open(target.data)
    # To start without training needs the catalogue alone; the events of a share are not looked at.
    known = share or 0.01
    data = share_of(dataset, target.folder / "shares" / f"{known:g}", known, seed).path
    for arm in (TRANSFERRED, SCRATCH) if share else (TRANSFERRED,):
        figures = target.folder / "figures" / f"{share:g}"
        if (figures / f"{arm}.json").exists():
            continue
        changes = {
            "retrieval.training.epochs": EPOCHS if share else 0,
            "retrieval.training.patience": PATIENCE,
            "retrieval.training.average_decay": AVERAGE_DECAY,
            "retrieval.memory_neighbours": NEIGHBOURS if share else 0,
            **({} if share else ZERO_SHOT_TRUST),
        }
        run = target.folder / "runs" / f"{share:g}" / arm.replace(" ", "_")
        settings = target.settings(run.with_suffix(".yaml"), changes)
        cost = step(
            run.with_suffix(".json"),
            *("train", "retrieval", "--data", str(data), "--out", str(run), "--seed", str(seed)),
            *("--config", str(settings)),
            *(("--from", str(source.folder / "source")) if arm == TRANSFERRED else ()),
        )
        measure_run(run, data, figures, arm, cost)


def measure_run(run: Path, data: Path, figures: Path, arm: str, cost: dict[str, float]) -> None:
    """Asks a trained model for the test shoppers, with the memory that it has and without."""
    from tfrec.evaluation import evaluate
    from tfrec.models.scorers import RetrievalScorer
    from tfrec.training.retrieval import load_retrieval
    from tfrec.training.run import RunDirectory

    trained = RunDirectory.open(run, "retrieval")
    dataset = PreparedDataset.open(data)
    model = load_retrieval(trained.path, trained.config, dataset.items)
    settings = EvaluationConfig(cutoffs=[10], bootstrap_samples=1)
    facts = {"training": trained.record["training"], **cost}
    if model.memory is not None:
        result = evaluate(RetrievalScorer(model), dataset, "test", settings)
        weight = float(model.memory.weight.numpy())
        record(figures / f"{arm}{MEMORY}.json", result.per_case, {**facts, "weight": weight})
        model.memory.weight.assign(0.0)
    result = evaluate(RetrievalScorer(model), dataset, "test", settings)
    record(figures / f"{arm}.json", result.per_case, facts)


def record(figures: Path, per_case: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """Writes what an arm scored, shopper by shopper, and the means with their intervals."""
    values = np.stack([per_case[metric] for metric in METRICS], axis=1)
    low, high = bootstrap_interval(values, samples=SAMPLES, seed=0)
    means = values.mean(axis=0)
    content: dict[str, Any] = {"shoppers": len(values), **facts}
    for place, metric in enumerate(METRICS):
        content[metric] = float(means[place])
        content[f"{metric}_low"], content[f"{metric}_high"] = float(low[place]), float(high[place])
    figures.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(figures.with_suffix(".npy")) as temporary, temporary.open("wb") as file:
        np.save(file, values)
    write_json(figures, content)


def rows_of(figures: Path) -> Iterator[dict[str, Any]]:
    """Yields the figures of every arm and share that was measured, smallest share first."""
    for folder in sorted(figures.glob("*"), key=lambda path: float(path.name)):
        for path in sorted(folder.glob("*.json")):
            yield {"share": float(folder.name), "arm": path.stem, **read_json(path)}


def table_of(figures: Path, title: str) -> Table:
    """Returns the rows for people, each with its difference to the goal's opponent."""
    opponent = figures / f"{GOAL[1]:g}" / f"{SCRATCH}.npy"
    table = Table(
        "share of events",
        "model",
        *METRICS,
        f"ndcg@10 less from scratch, {GOAL[1]:.0%}",
        title=title,
        caption="± is half of the 95 % bootstrap interval over shoppers; [ ] a paired interval",
    )
    for row in rows_of(figures):
        own = figures / f"{row['share']:g}" / f"{row['arm']}.npy"
        table.add_row(
            f"{row['share']:.0%}",
            row["arm"],
            *(f"{row[m]:.4f} ±{(row[f'{m}_high'] - row[f'{m}_low']) / 2:.4f}" for m in METRICS),
            _difference(own, opponent) if opponent.exists() and own != opponent else "",
        )
    return table


def _difference(own: Path, other: Path) -> str:
    values = np.load(own)[:, 1:] - np.load(other)[:, 1:]
    low, high = bootstrap_interval(values, samples=SAMPLES, seed=0)
    return f"{values.mean():+.4f} [{low[0]:+.4f}, {high[0]:+.4f}]"


if __name__ == "__main__":
    main()
