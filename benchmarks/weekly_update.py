"""Online Retail week by week: never updated, updated weekly, and trained anew every week.

Every week's models are asked for the next week's shoppers before anybody has seen that week. The
figures are NDCG@20 of both stages together, and processor time: an update takes in the batch,
trains, judges and exports; a full training trains both models and exports. Each step is a process
of its own, and is skipped if it was done before, so a run that was stopped goes on. As full
trainings take most of the time, `--full-every 4` does every fourth of them; the others can be added
later with the same command.

    python -m benchmarks.weekly_update --out DIR [--weeks 26] [--full-every 1]
"""

import argparse
import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import gain_with_interval, processor_seconds
from tfrec.config import ExperimentConfig, dump_config, load_config
from tfrec.data.dataset import PreparedDataset
from tfrec.data.sample import sample_path
from tfrec.evaluation.cases import Cases
from tfrec.files import read_json, write_json
from tfrec.updating.contenders import Contender, all_text_vectors
from tfrec.updating.gate import TRAINED
from tfrec.updating.judging import judge
from tfrec.updating.state import SERVED, UpdateState

FULL = "trained anew weekly"
ARMS = ("never updated", "updated weekly", FULL)
WEEK = pd.Timedelta(days=7)


@dataclass(frozen=True)
class Folders:
    """Where the benchmark keeps what."""

    out: Path

    @property
    def base(self) -> Path:
        """The models before the first week."""
        return self.out / "base"

    @property
    def state(self) -> Path:
        """The updates."""
        return self.out / "state"

    def full(self, week: int) -> Path:
        """The run that was trained anew with all weeks before `week`, from 1."""
        return self.base / "run" if week == 1 else self.out / "full" / f"{week:02d}"


def main() -> None:
    """Runs what is missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for everything")
    parser.add_argument("--weeks", type=int, default=26, help="last weeks of the log")
    parser.add_argument("--epochs", type=int, help="of the full trainings; for trials")
    parser.add_argument("--full-every", type=int, default=1, help="weeks from one to the next")
    arguments = parser.parse_args()
    folders = Folders(arguments.out)
    _write_batches(folders, arguments.weeks, arguments.epochs)
    _base(folders)
    for week in range(1, arguments.weeks + 1):
        _update(folders, week)
        with_full = (week - 1) % arguments.full_every == 0
        if with_full and week > 1:
            _train_anew(folders, week)
        _judge(folders, week, ARMS if with_full else ARMS[:-1])
        _report(folders, week)


def _write_batches(folders: Folders, weeks: int, epochs: int | None) -> None:
    """Cuts the log into what is known first, and a batch of events and new products a week."""
    if (folders.out / "batches.json").is_file():
        if read_json(folders.out / "batches.json") != {"weeks": weeks, "epochs": epochs}:
            raise SystemExit(f"{folders.out} was begun with other options; name another --out")
        return
    source = sample_path()
    events = pd.read_parquet(source / "events.parquet")
    items = pd.read_parquet(source / "items.parquet")
    start = events["timestamp"].max() - weeks * WEEK
    bounds = [start + number * WEEK for number in range(weeks + 1)]
    batches = folders.out / "batches"
    batches.mkdir(parents=True, exist_ok=True)
    known = events[events["timestamp"] <= start]
    seen = set(known["item_id"])
    known.to_parquet(batches / "known.parquet", index=False)
    items[items["item_id"].isin(seen)].to_parquet(batches / "items.parquet", index=False)
    for week, (low, high) in enumerate(itertools.pairwise(bounds), start=1):
        batch = events[(events["timestamp"] > low) & (events["timestamp"] <= high)]
        batch.to_parquet(batches / f"{week:02d}.parquet", index=False)
        new = set(batch["item_id"]) - seen
        items[items["item_id"].isin(new)].to_parquet(batches / f"{week:02d}i.parquet", index=False)
        seen |= new
    (folders.out / "config.yaml").write_text(dump_config(_config(source, epochs)))
    write_json(folders.out / "batches.json", {"weeks": weeks, "epochs": epochs})


def _config(source: Path, epochs: int | None) -> ExperimentConfig:
    """Returns the experiment of the demo, with the periods of weekly updates."""
    config = load_config(source / "config.yaml")
    update = config.update.model_copy(update={"keep_generations": 1000, "most_slower": None})
    days = {"valid_days": update.valid_days, "test_days": update.gate_days}
    sections = {"data": config.data.model_copy(update=days), "update": update}
    for name in ("retrieval", "ranking"):
        section = getattr(config, name)
        changes: dict[str, object] = {"tensorboard": False}
        if epochs is not None:
            changes["epochs"] = epochs
        training = section.training.model_copy(update=changes)
        sections[name] = section.model_copy(update={"training": training})
    return config.model_copy(update=sections)


def _base(folders: Folders) -> None:
    base, batches = folders.base, folders.out / "batches"
    config = str(folders.out / "config.yaml")
    inputs = ["--events", str(batches / "known.parquet"), "--items", str(batches / "items.parquet")]
    _run(
        folders,
        "base-data",
        ["data_prepare", *inputs, "--out", str(base / "data"), "--config", config],
    )
    _train(folders, "base", base / "data", base / "run", base / "models")


def _train(folders: Folders, name: str, data: Path, run: Path, models: Path) -> None:
    config = str(folders.out / "config.yaml")
    settings = ["--data", str(data), "--out", str(run), "--config", config]
    _run(folders, f"{name}-retrieval", ["train_retrieval", *settings])
    _run(folders, f"{name}-ranking", ["train_ranking", *settings])
    _run(folders, f"{name}-export", ["export", "--run", str(run), "--models", str(models)])


def _update(folders: Folders, week: int) -> None:
    batches = folders.out / "batches"
    items = batches / f"{week:02d}i.parquet"
    has_items = len(pd.read_parquet(items)) > 0
    _run(
        folders,
        f"update-{week:02d}",
        [
            *("update", "--events", str(batches / f"{week:02d}.parquet")),
            *(["--items", str(items)] if has_items else []),
            *("--models", str(folders.base / "models"), "--state", str(folders.state)),
            *("--run", str(folders.base / "run")),
        ],
    )


def _train_anew(folders: Folders, week: int) -> None:
    data = UpdateState(folders.state).generation(week - 1) / "data"
    _train(folders, f"full-{week:02d}", data, folders.full(week), folders.out / "full" / "models")


def _run(folders: Folders, name: str, command: list[str]) -> None:
    """Runs a stage in a process of its own, once, and notes its processor time."""
    record = folders.out / "steps" / f"{name}.json"
    if record.is_file():
        return
    print(f"{name} …", flush=True)
    before = processor_seconds()
    stage, *arguments = command
    # One cache of text vectors would favour nobody, but it is not what is measured.
    done = subprocess.run(
        [sys.executable, "-m", f"pipelines.{stage}", *arguments], check=False, env=os.environ
    )
    if done.returncode:
        raise SystemExit(f"{name} failed with exit code {done.returncode}")
    record.parent.mkdir(parents=True, exist_ok=True)
    write_json(record, {"processor_seconds": processor_seconds() - before})


def _judge(folders: Folders, week: int, arms: Sequence[str]) -> None:
    """Asks the models of some arms for the shoppers of a week that none of them has seen."""
    path = folders.out / "weeks" / f"{week:02d}.json"
    known = read_json(path) if path.is_file() else {"ndcg": {}}
    missing = [arm for arm in arms if arm not in known["ndcg"]]
    if not missing:
        return
    state = UpdateState(folders.state)
    ledger = state.ledger()
    dataset = PreparedDataset.open(state.generation(week) / "data")
    base = PreparedDataset.open(folders.base / "data")
    before = base if week == 1 else PreparedDataset.open(state.generation(week - 1) / "data")
    config = load_config(folders.out / "config.yaml")
    cases = Cases.of(dataset, "test", config.evaluation)
    cache = state.folder / "text_vectors"
    vectors, _ = all_text_vectors(dataset, folders.base / "run", base, config, cache)
    parent = ledger.entry_of_version(ledger.entries[week - 1].parent_version)
    updated = (
        folders.base / "run" if parent is None else state.generation(parent.generation) / SERVED
    )
    runs = dict(zip(ARMS, (folders.base / "run", updated, folders.full(week)), strict=True))
    logs = {folders.base / "run": base.whole_log(), folders.full(week): before.whole_log()}
    judged: dict[Path, list[float]] = {}
    for run in {runs[arm]: None for arm in missing}:
        contender = Contender.load(run, dataset, vectors)
        # What was published knows its whole log; a run knows the log before its test days.
        if run in logs:
            contender.count(logs[run])
        result = judge(
            contender.recommender(),
            cases,
            config.update.cutoff,
            config.evaluation.new_item_events,
        )
        judged[run] = result.ndcg.tolist()
    entry = ledger.entries[week - 1]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        path,
        {
            "first_day": str(dataset.manifest.splits["test"].starts),
            "ndcg": known["ndcg"] | {arm: judged[runs[arm]] for arm in missing},
            "outcome": entry.outcome,
            "trained": entry.verdict is not None and entry.verdict["run"] == TRAINED,
            "reason": entry.reason,
            "seconds": entry.seconds,
        },
    )


def _report(folders: Folders, weeks: int) -> None:
    """Prints the table, and draws the weeks."""
    read = [read_json(folders.out / "weeks" / f"{week:02d}.json") for week in range(1, weeks + 1)]
    means = {
        arm: np.array([np.mean(each["ndcg"].get(arm, np.nan)) for each in read]) for arm in ARMS
    }
    both = np.isfinite(means[FULL])
    costs: dict[str, float] = {
        "never updated": 0.0,
        "updated weekly": float(
            np.mean([_cost(folders, f"update-{week:02d}") for week in range(1, weeks + 1)])
        ),
        FULL: _full_cost(folders, np.flatnonzero(both) + 1),
    }
    full = means[FULL][both].mean()
    table = Table(title=f"NDCG@20 of the next week, {both.sum()} of {weeks} weeks of Online Retail")
    table.add_column("models")
    for name in ("mean NDCG@20", "of trained anew", "processor s a week", "of trained anew"):
        table.add_column(name, justify="right")
    for arm in ARMS:
        table.add_row(
            arm,
            f"{means[arm][both].mean():.4f}",
            f"{means[arm][both].mean() / full:.1%}",
            f"{costs[arm]:.0f}",
            f"{costs[arm] / costs[FULL]:.1%}",
        )
    console = Console(width=110)
    console.print(table)
    weekly = Table(title="Week by week")
    for name in ("from", *ARMS, "updated - never (95 %)", "weights", "gate"):
        weekly.add_column(name, justify="right")
    for number, each in enumerate(read):
        difference = np.subtract(each["ndcg"]["updated weekly"], each["ndcg"]["never updated"])
        weekly.add_row(
            each["first_day"][:10],
            *(f"{means[arm][number]:.4f}" if arm in each["ndcg"] else "" for arm in ARMS),
            gain_with_interval(difference),
            "trained" if each["trained"] else "kept",
            each["outcome"],
        )
    console.print(weekly)
    all_weeks = {arm: f"{np.nanmean(values):.4f}" for arm, values in means.items()}
    console.print(f"Means of all {weeks} weeks: {all_weeks}")
    summary = {
        arm: {
            "ndcg@20": [None if np.isnan(value) else value for value in means[arm]],
            "processor_seconds": costs[arm],
        }
        for arm in ARMS
    }
    write_json(folders.out / "report.json", summary)
    _draw(folders.out / "report.png", [each["first_day"][:10] for each in read], means)


def _full_cost(folders: Folders, weeks: np.ndarray) -> float:
    names = ["base" if week == 1 else f"full-{week:02d}" for week in weeks]
    steps = ("retrieval", "ranking", "export")
    return float(
        np.mean([sum(_cost(folders, f"{name}-{step}") for step in steps) for name in names])
    )


def _cost(folders: Folders, name: str) -> float:
    return float(read_json(folders.out / "steps" / f"{name}.json")["processor_seconds"])


def _draw(path: Path, days: list[str], means: dict[str, np.ndarray]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 4), layout="constrained")
    for arm, values in means.items():
        there = np.isfinite(values)
        axes.plot(np.array(days)[there], values[there], marker="o", label=arm)
    axes.set_ylabel("NDCG@20 of the next week")
    axes.tick_params(axis="x", rotation=60)
    axes.legend()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
