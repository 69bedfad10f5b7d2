"""Trains models of RecBole on a leave-one-out data set, and measures them as tfrec's are.

    python -m venv recbole && recbole/bin/pip install -r requirements/recbole.txt
    recbole/bin/python benchmarks/recbole_models.py --events EVENTS --out DIR

RecBole needs an environment of its own: it pins libraries that tfrec has newer ones of, and brings
PyTorch. So this file imports nothing of tfrec. Models have RecBole's own defaults, with a softmax
over the whole catalogue as loss, and stop by NDCG@10 on the validation events. The last event of
each shopper is ranked among all items, those of his last 50 masked, as `tfrec evaluate` does.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

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
    "train_batch_size": 2048,
    "eval_batch_size": 1024,
    "use_gpu": False,
    "state": "WARNING",
}


def write_atomic(events: Path, folder: Path) -> None:
    """Writes RecBole's file of interactions; the order is that of the log, or its `position`."""
    table = pd.read_parquet(events)
    order = "position" if "position" in table else "timestamp"
    table = table.sort_values(["user_id", order], kind="stable")
    # Its own count, because events of one day share a timestamp.
    table["place"] = table.groupby("user_id").cumcount() + 1
    target = folder / NAME / f"{NAME}.inter"
    target.parent.mkdir(parents=True, exist_ok=True)
    table[["user_id", "item_id", "place"]].to_csv(
        target,
        sep="\t",
        index=False,
        header=["user_id:token", "item_id:token", "timestamp:float"],
    )


def measure(name: str, folder: Path, seed: int, epochs: int, patience: int) -> dict[str, float]:
    """Trains a model and returns recall, NDCG and what they took."""
    config = Config(
        model=name,
        dataset=NAME,
        config_dict={
            **SETTINGS,
            "data_path": str(folder),
            "checkpoint_dir": str(folder / "checkpoints"),
            "seed": seed,
            "epochs": epochs,
            "stopping_step": patience,
        },
    )
    init_seed(seed, reproducibility=True)
    train, valid, test = data_preparation(config, create_dataset(config))
    model = get_model(name)(config, train.dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], name)(config, model)
    started = time.monotonic()
    trainer.fit(train, valid, show_progress=True)
    seconds = time.monotonic() - started
    model.load_state_dict(torch.load(trainer.saved_model_file, weights_only=False)["state_dict"])
    ranks = ranks_of(model, test)
    hits = ranks[ranks <= CUTOFF].double()
    return {
        f"recall@{CUTOFF}": len(hits) / len(ranks),
        f"ndcg@{CUTOFF}": float((math.log(2) / torch.log(hits + 1)).sum()) / len(ranks),
        "shoppers": len(ranks),
        "minutes": seconds / 60,
        "epochs": len(trainer.train_loss_dict),
    }


@torch.no_grad()
def ranks_of(model: torch.nn.Module, test: Any) -> torch.Tensor:
    """Returns the rank, from 1, of the target of each case among the items not in its history."""
    model.eval()
    found = []
    for interaction, *_ in test:
        scores = model.full_sort_predict(interaction).view(len(interaction), -1)
        target = interaction[model.POS_ITEM_ID]
        wanted = scores.gather(1, target[:, None])
        scores[:, 0] = -torch.inf
        scores.scatter_(1, interaction[model.ITEM_SEQ], -torch.inf)
        # A target that was in the history before is masked as well, so it never counts as found.
        repeated = (interaction[model.ITEM_SEQ] == target[:, None]).any(dim=1)
        rank = 1 + (scores > wanted).sum(dim=1)
        found.append(torch.where(repeated, torch.tensor(scores.shape[1]), rank))
    return torch.cat(found)


def main() -> None:
    """Writes the figures of each model to DIR/recbole.json and prints them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["SASRec", "GRU4Rec"])
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--epochs", type=int, default=300, help="at most")
    parser.add_argument("--patience", type=int, default=10, help="epochs without a better one")
    arguments = parser.parse_args()
    write_atomic(arguments.events, arguments.out)
    figures = {}
    for name in arguments.models:
        figures[name] = measure(
            name, arguments.out, arguments.seed, arguments.epochs, arguments.patience
        )
        (arguments.out / "recbole.json").write_text(json.dumps(figures, indent=2) + "\n")
        shown = "  ".join(f"{key} {value:.4g}" for key, value in figures[name].items())
        print(f"{name}: {shown}", flush=True)


if __name__ == "__main__":
    main()
