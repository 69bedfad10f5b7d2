"""Trains models of RecBole on a leave-one-out data set, and measures them as tfrec's are.

    python -m venv recbole && recbole/bin/pip install -r requirements/recbole.txt
    recbole/bin/python benchmarks/recbole_models.py --events EVENTS --out DIR

RecBole needs an environment of its own: it pins libraries that tfrec has newer ones of, and brings
PyTorch. So this file imports nothing of tfrec. A model that DIR/recbole.json holds with the same
settings is not trained again; one that `--minutes` stopped goes on from its best epoch where it is
given more of them. `benchmarks.quality_plots` reads that file and DIR/ranks.parquet, and checks
that the targets are those of `tfrec evaluate`.

The same as there: the last event of each shopper is the test and the one before it validation,
which only says when to stop; all items compete; every item of the shopper's earlier events is
masked; shoppers whose target is such an item are left out; equal scores count against the model;
repeated events stay in the histories. Validation is measured in the same way, unlike RecBole's own,
which masks nothing.

What differs: RecBole makes a training example of each prefix of a history and reads its last
`--history` items (masked are all). Models have RecBole's own defaults, not tuned, with a softmax
over the whole catalogue as loss, and see neither texts nor categories. A small log makes few
steps an epoch of RecBole's 2,048 examples a step; `--batch` makes more.

The C library's habit of giving memory back costs a third of the time on a CPU; it is kept by
MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 in the environment.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.trainer import Trainer
from recbole.utils import get_model, init_seed

NAME = "shop"
CUTOFF = 10
SETTINGS = {
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "TIME_FIELD": "timestamp",
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "eval_args": {
        "split": {"LS": "valid_and_test"},
        "order": "TO",
        "group_by": "user",
        "mode": "full",
    },
    "loss_type": "CE",
    "train_neg_sample_args": None,
    "metrics": ["NDCG"],
    "topk": [CUTOFF],
    "valid_metric": f"NDCG@{CUTOFF}",
    "eval_batch_size": 1024,
    "use_gpu": False,
    "state": "WARNING",
}


def write_atomic(events: Path, folder: Path) -> pd.DataFrame:
    """Writes RecBole's file of interactions and returns it, each shopper's events in order.

    The order is that of the log's `position`, or else its time. `place` counts it, because
    events of one day share a timestamp.
    """
    table = pd.read_parquet(events)
    order = "position" if "position" in table else "timestamp"
    table = table.sort_values(["user_id", order], kind="stable")
    table["place"] = table.groupby("user_id").cumcount() + 1
    table = table[["user_id", "item_id", "place"]]
    target = folder / NAME / f"{NAME}.inter"
    target.parent.mkdir(parents=True, exist_ok=True)
    header = ["user_id:token", "item_id:token", "timestamp:float"]
    table.to_csv(target, sep="\t", index=False, header=header)
    return table


class Seen:
    """What each shopper had before his target, in RecBole's numbers.

    Args:
        table: from `write_atomic`.
        dataset: RecBole's data set of it.
        held_back: how many of the last events are not known yet: 1 in the test, 2 in validation.
    """

    def __init__(self, table: pd.DataFrame, dataset: Any, held_back: int) -> None:
        behind = table.groupby("user_id").cumcount(ascending=False)
        known = table[behind >= held_back]
        user = dataset.token2id("user_id", known["user_id"].to_numpy(object))
        item = torch.as_tensor(dataset.token2id("item_id", known["item_id"].to_numpy(object)))
        self.offsets = np.searchsorted(np.sort(user), np.arange(dataset.user_num + 1))
        self.items = item[np.argsort(user, kind="stable")]

    def __call__(self, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns row and item of each pair to mask, for rows of these shoppers."""
        parts = [self.items[self.offsets[u] : self.offsets[u + 1]] for u in users.tolist()]
        rows = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor([*map(len, parts)]))
        return rows, torch.cat(parts)


@torch.no_grad()
def ranks_of(model: torch.nn.Module, cases: Any, seen: Seen) -> pd.DataFrame:
    """Returns `user`, `item` and `rank`, from 1, of the targets that are new to their shopper."""
    model.eval()
    found = []
    for interaction, *_ in cases:
        scores = model.full_sort_predict(interaction).view(len(interaction), -1)
        user, item = interaction[model.USER_ID], interaction[model.POS_ITEM_ID]
        wanted = scores.gather(1, item[:, None])
        scores[:, 0] = -torch.inf
        rows, masked = seen(user)
        scores[rows, masked] = -torch.inf
        new = scores.gather(1, item[:, None])[:, 0] > -torch.inf
        # The target is at least as good as itself, so its rank counts from 1.
        rank = (scores >= wanted).sum(dim=1)
        found.append(torch.stack([user, item, rank], dim=1)[new])
    return pd.DataFrame(torch.cat(found).numpy(), columns=["user", "item", "rank"])


def recall_and_ndcg(ranks: np.ndarray) -> dict[str, float]:
    """Returns both at `CUTOFF` for shoppers with one target each."""
    gains = np.where(ranks <= CUTOFF, 1 / np.log2(ranks + 1), 0)
    return {
        f"recall@{CUTOFF}": float((ranks <= CUTOFF).mean()),
        f"ndcg@{CUTOFF}": float(gains.mean()),
    }


class OutOfTimeError(Exception):
    """The time that a model may take is over."""


class Clock:
    """Says how long ago it was made.

    Args:
        minutes: how long ago it should say at once.
        processor_minutes: the same of processor time.
    """

    def __init__(self, minutes: float = 0, processor_minutes: float = 0) -> None:
        self.wall = time.monotonic() - 60 * minutes
        self.processor = time.process_time() - 60 * processor_minutes

    def __call__(self) -> dict[str, float]:
        """Returns minutes by the clock on the wall, and of processor time of this process."""
        return {
            "minutes": (time.monotonic() - self.wall) / 60,
            "processor_minutes": (time.process_time() - self.processor) / 60,
        }


class TimedTrainer(Trainer):
    """RecBole's trainer, validated as the test is, with a curve and an end.

    Attributes:
        curve: of each validation its epoch, the minutes and processor minutes until then, and NDCG;
            given are those of the training that this one continues.
    """

    def __init__(
        self, config: Config, model: Any, seen: Seen, minutes: float, curve: list[dict[str, float]]
    ):
        super().__init__(config, model)
        self.seen, self.minutes, self.curve = seen, minutes, curve
        self.clock = Clock()
        # RecBole's own name has the time in it.
        self.saved_model_file = str(Path(self.checkpoint_dir) / f"{config['model']}.pth")
        if curve:
            self.clock = Clock(curve[-1]["minutes"], curve[-1]["processor_minutes"])
            self.resume_checkpoint(self.saved_model_file)

    def _train_epoch(self, *args: Any, **options: Any) -> Any:
        # Only here is the best epoch so far on the disk.
        if self.curve and self.clock()["minutes"] > self.minutes:
            raise OutOfTimeError
        return super()._train_epoch(*args, **options)

    def _valid_epoch(self, valid_data: Any, **_: Any) -> tuple[float, dict[str, float]]:
        result = recall_and_ndcg(ranks_of(self.model, valid_data, self.seen)["rank"].to_numpy())
        score = result[f"ndcg@{CUTOFF}"]
        point = {"epoch": len(self.curve) + 1, **self.clock(), "ndcg": score}
        self.curve.append(point)
        print("  ".join(f"{key} {value:.4g}" for key, value in point.items()), flush=True)
        return score, result


def measure(
    name: str,
    table: pd.DataFrame,
    folder: Path,
    settings: dict[str, Any],
    curve: list[dict[str, float]],
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Trains a model; returns its figures, and the rank of each target of the test.

    Args:
        name: of the model.
        table: from `write_atomic`.
        folder: for checkpoints.
        settings: options of the command.
        curve: validations of a training to continue, up to its best; empty to begin.
    """
    config = Config(
        model=name,
        dataset=NAME,
        config_dict={
            **SETTINGS,
            "data_path": str(folder),
            "checkpoint_dir": str(folder / "checkpoints"),
            "seed": settings["seed"],
            "epochs": settings["epochs"],
            "stopping_step": settings["patience"],
            "train_batch_size": settings["batch"],
            "MAX_ITEM_LIST_LENGTH": settings["history"],
        },
    )
    # A training that goes on should not see the examples in the order of its first epochs again.
    init_seed(settings["seed"] + len(curve), reproducibility=True)
    dataset = create_dataset(config)
    valid_seen, test_seen = (Seen(table, dataset, held_back) for held_back in (2, 1))
    train, valid, test = data_preparation(config, dataset)
    model = get_model(name)(config, train.dataset).to(config["device"])
    trainer = TimedTrainer(config, model, valid_seen, settings["minutes"], list(curve))
    try:
        trainer.fit(train, valid, show_progress=False)
        stopped = "patience" if len(trainer.curve) < settings["epochs"] else "epochs"
    except OutOfTimeError:
        stopped = "time"
    took = trainer.clock()
    best = max(trainer.curve, key=lambda point: point["ndcg"])
    model.load_state_dict(torch.load(trainer.saved_model_file, weights_only=False)["state_dict"])
    ranks = ranks_of(model, test, test_seen)
    figures = {
        **recall_and_ndcg(ranks["rank"].to_numpy()),
        "shoppers": len(ranks),
        **took,
        "threads": torch.get_num_threads(),
        "epochs": len(trainer.curve),
        "best_epoch": best["epoch"],
        "stopped_by": stopped,
        "parameters": sum(one.numel() for one in model.parameters()),
        "settings": settings,
        "validation": trainer.curve,
    }
    ids = {
        "user_id": dataset.id2token("user_id", ranks["user"].to_numpy()),
        "item_id": dataset.id2token("item_id", ranks["item"].to_numpy()),
    }
    return figures, pd.DataFrame({"model": name, **ids, "rank": ranks["rank"]})


def main() -> None:
    """Writes DIR/recbole.json and DIR/ranks.parquet after each model, and prints the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["SASRec", "GRU4Rec"])
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--epochs", type=int, default=300, help="at most")
    parser.add_argument("--patience", type=int, default=10, help="epochs without a better one")
    parser.add_argument("--minutes", type=float, default=1e6, help="a model trains so long at most")
    parser.add_argument("--history", type=int, default=50, help="items of it that a model reads")
    parser.add_argument("--batch", type=int, default=2048, help="examples of a training step")
    arguments = parser.parse_args()
    chosen = ("seed", "epochs", "patience", "minutes", "history", "batch")
    settings = {key: getattr(arguments, key) for key in chosen}
    folder = arguments.out.resolve()
    table = write_atomic(arguments.events, folder)
    # RecBole writes logs to where it is.
    os.chdir(folder)
    summary, ranks_file = folder / "recbole.json", folder / "ranks.parquet"
    figures = json.loads(summary.read_text()) if summary.exists() else {}
    for name in arguments.models:
        curve = to_continue(figures.get(name), settings)
        if curve is not None:
            figures[name], ranks = measure(name, table, folder, settings, curve)
            if ranks_file.exists():
                before = pd.read_parquet(ranks_file)
                ranks = pd.concat([before[before["model"] != name], ranks])
            replace(ranks_file, lambda path, ranks=ranks: ranks.to_parquet(path, index=False))
            text = json.dumps(figures, indent=2) + "\n"
            replace(summary, lambda path, text=text: path.write_text(text))
        shown = {key: value for key, value in figures[name].items() if isinstance(value, float)}
        print(f"{name}: " + "  ".join(f"{key} {value:.4g}" for key, value in shown.items()))


def to_continue(
    before: dict[str, Any] | None, settings: dict[str, Any]
) -> list[dict[str, float]] | None:
    """Returns the validations of a training to continue, none to begin one, None if it is done."""
    if before is None or {**before["settings"], "minutes": 0} != {**settings, "minutes": 0}:
        return []
    if before["stopped_by"] != "time" or settings["minutes"] <= before["settings"]["minutes"]:
        return None
    return before["validation"][: before["best_epoch"]]


def replace(path: Path, write: Any) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    write(temporary)
    temporary.replace(path)


if __name__ == "__main__":
    main()
