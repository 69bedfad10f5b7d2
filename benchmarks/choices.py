"""Compares settings of the retrieval model in one table: a training for each, all else equal.

    python -m benchmarks.choices --data DIR --config YAML --out DIR
        [--rows losses --rows sequence ...] [--split valid] [--seed 42]

Groups of rows: `fusion`, how an item's text and its id become one vector, with the frozen BERT;
`policy`, what of the BERT trains along; `bert`, which frozen BERT reads the texts: the one of the
configuration, and those that the steps of `tfrec train text` make of it; `losses`, `negatives`,
`sequence`, `counted` and `regularisation`, a changed setting of the model or its training a row.
Every row is a training of `tfrec train retrieval`; the row "as configured" is what all others
differ from. "rare" counts only targets that training has seen at most four times. What a stopped
run had finished is kept, also where it is given other groups. Settings are chosen on `valid`; look
at `test` once.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from rich.table import Table

from benchmarks.measuring import gain_with_interval
from benchmarks.quality import step, write_once
from pipelines.console import table_console
from tfrec.config import change_config, dump_config, load_config
from tfrec.files import read_json, write_json

RARE = 4
"""Most events in training of an item that counts as rare."""
CUTOFF = 10
RECALL, NDCG = f"recall@{CUTOFF}", f"ndcg@{CUTOFF}"
AS_CONFIGURED = "as configured"
FUSIONS = {
    "id only": "id",
    "text only": "text",
    "id, started from text": "id_from_text",
    "concatenation": "concatenate",
    "gate": "gate",
}
POLICIES: dict[str, dict[str, Any]] = {
    "top-n": {"text.learning_rate": 2e-5},
    # Low-rank updates and adapters start from nothing.
    "lora": {"text.learning_rate": 5e-4},
    "adapter": {"text.learning_rate": 5e-4},
    # No layer is below those that train, so no activations spare a text the whole BERT.
    "full": {"text.learning_rate": 2e-5, "text.texts_per_step": 32},
}
"""By `text.policy`, what is set along with it."""
OWN_BERTS = {
    "contrastive": (("contrastive", "distil"), "contrastive"),
    "contrastive, distilled": (("contrastive", "distil"), "distil"),
    "masked": (("masked", "contrastive"), "masked"),
    "masked, contrastive": (("masked", "contrastive"), "contrastive"),
}
"""By name, the steps of a training of texts, and the one whose BERT it is."""


SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "losses": {
        "temperature .05": {"retrieval.temperature": 0.05},
        "temperature .1": {"retrieval.temperature": 0.1},
        "learned temperature": {"retrieval.learned_temperature": True},
        "label smoothing .01": {"retrieval.label_smoothing": 0.01},
        "label smoothing .1": {"retrieval.label_smoothing": 0.1},
    },
    "negatives": {
        "in batch": {"retrieval.negatives": "in_batch"},
        "in batch, no logQ": {
            "retrieval.negatives": "in_batch",
            "retrieval.logq_correction": "none",
        },
        "in batch, corrected logQ": {
            "retrieval.negatives": "in_batch",
            "retrieval.logq_correction": "negatives",
        },
        "in batch + 2,048 uniform": {"retrieval.negatives": "sampled"},
        "in batch + 2,048 uniform, corrected logQ": {
            "retrieval.negatives": "sampled",
            "retrieval.logq_correction": "negatives",
        },
        "cross-batch memory 8,192": {
            "retrieval.negatives": "in_batch",
            "retrieval.logq_correction": "negatives",
            "retrieval.cross_batch_memory": 8192,
        },
        "hard negatives 64": {
            "retrieval.negatives": "in_batch",
            "retrieval.logq_correction": "negatives",
            "retrieval.hard_negatives": 64,
        },
        "hard negatives 64 + 2,048 uniform": {
            "retrieval.negatives": "sampled",
            "retrieval.logq_correction": "negatives",
            "retrieval.hard_negatives": 64,
        },
    },
    "sequence": {
        "two layers": {"retrieval.lstm_layers": 2},
        "128 units": {"retrieval.lstm_units": 128},
        "512 units": {"retrieval.lstm_units": 512},
        "layer norm": {"retrieval.lstm_layer_norm": True},
        "128 units, first residual": {
            "retrieval.lstm_units": 128,
            "retrieval.lstm_first_residual": True,
        },
        "two layers, layer norm": {"retrieval.lstm_layers": 2, "retrieval.lstm_layer_norm": True},
        "attention over states": {"retrieval.state_attention": 2},
        "layer norm, attention": {
            "retrieval.lstm_layer_norm": True,
            "retrieval.state_attention": 2,
        },
        "no time gaps": {"retrieval.time_gaps": False},
        "no event types": {"retrieval.event_features": False},
        "event dropout .1": {"retrieval.event_dropout": 0.1},
        "event dropout .3": {"retrieval.event_dropout": 0.3},
        "event reorder .3": {"retrieval.event_reorder": 0.3},
        "no moving averages": {"retrieval.history_averages": []},
        "averaged weights": {"retrieval.training.average_decay": 0.99},
    },
    "counted": {
        "memory of 50 neighbours": {"retrieval.memory_neighbours": 50},
        "cold start": {"retrieval.cold_start": True},
        "averaged weights .95": {"retrieval.training.average_decay": 0.95},
        "memory, averaged weights .95": {
            "retrieval.memory_neighbours": 50,
            "retrieval.training.average_decay": 0.95,
        },
    },
    "regularisation": {
        "dropout .1": {"retrieval.dropout": 0.1},
        "dropout .5": {"retrieval.dropout": 0.5},
        "no id dropout": {"retrieval.id_dropout": 0.0},
        "id dropout .3": {"retrieval.id_dropout": 0.3},
        "weight decay .01": {"retrieval.training.weight_decay": 0.01},
        "FGM": {"retrieval.training.adversarial": "fgm"},
        "AWP": {
            "retrieval.training.adversarial": "awp",
            "retrieval.training.adversarial_epsilon": 0.01,
            "retrieval.training.adversarial_start": 3,
        },
    },
}
"""By group and name, what is set otherwise than in the configuration."""
GROUPS = ("fusion", "policy", "bert", *SETTINGS)


class Row(NamedTuple):
    """A training.

    Attributes:
        name: of the row.
        changes: what is set otherwise than in the configuration.
        steps: those of the training of texts that makes its BERT; none where it is configured.
        last: the step whose BERT it is.
    """

    name: str
    changes: dict[str, Any]
    steps: tuple[str, ...] = ()
    last: str = ""


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Prepared data set.")
@click.option("--config", required=True, type=click.Path(path_type=Path), help="Configuration.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the runs.")
@click.option(
    "--rows",
    "groups",
    multiple=True,
    type=click.Choice(GROUPS),
    default=GROUPS,
    show_default=True,
)
@click.option("--split", default="valid", type=click.Choice(["valid", "test"]), show_default=True)
@click.option("--seed", default=42, show_default=True)
def main(
    data: Path, config: Path, out: Path, groups: tuple[str, ...], split: str, seed: int
) -> None:
    """Train every row that is not there yet, and print the table."""
    out.mkdir(parents=True, exist_ok=True)
    settings = load_config(config)
    done = []
    for name, changes, steps, last in rows_of(groups):
        folder = out / re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
        record = folder / f"{split}-{seed}.json"
        if steps:
            texts = text_steps(data, config, out, steps, seed)
            changes = {"text.bert": str(texts / f"text_{last}" / "bert")}
        row = folder / "config.yaml"
        write_once(row, dump_config(change_config(settings, changes)))
        if not record.exists():
            run = folder / f"run-{seed}"
            given = ["--data", str(data), "--out", str(run), "--config", str(row)]
            training = folder / f"training-{seed}.json"
            cost = step(training, "train", "retrieval", *given, "--seed", str(seed))
            minutes = cost["processor_seconds"] / 60
            found = {"name": name, "processor minutes": minutes, **figures(run, split)}
            write_json(record, found)
        done.append(read_json(record))
    table_console().print(table_of(done, f"{config}, {split}, seed {seed}"))


def rows_of(groups: tuple[str, ...]) -> list[Row]:
    """Returns the rows of some groups, after the one that all are compared with."""
    rows = [Row(AS_CONFIGURED, {})]
    if "fusion" in groups:
        rows += [Row(name, {"retrieval.text_fusion": kind}) for name, kind in FUSIONS.items()]
    if "policy" in groups:
        rows += [
            Row(f"BERT {policy}", {"text.policy": policy, **changes})
            for policy, changes in POLICIES.items()
        ]
    if "bert" in groups:
        for name, (steps, last) in OWN_BERTS.items():
            rows.append(Row(f"frozen after {name}", {}, steps, last))
    for group in groups:
        rows += [Row(name, changes) for name, changes in SETTINGS.get(group, {}).items()]
    return rows


def text_steps(data: Path, config: Path, out: Path, steps: tuple[str, ...], seed: int) -> Path:
    """Makes a BERT by each step of `tfrec train text`, and returns the folder of them all."""
    name = "-".join(("text", *steps, str(seed)))
    changed = out / f"{name}.yaml"
    changes = {"text_training.steps": list(steps)}
    write_once(changed, dump_config(change_config(load_config(config), changes)))
    given = ["--data", str(data), "--out", str(out / name), "--config", str(changed)]
    step(out / f"{name}.json", "train", "text", *given, "--seed", str(seed))
    return out / name


def figures(run: Path, split: str) -> dict[str, Any]:
    """Returns recall and NDCG on all targets and on rare ones, and the NDCG of every shopper."""
    from tfrec.evaluation import evaluate
    from tfrec.models.scorers import RetrievalScorer
    from tfrec.training.loading import TrainedRun

    trained = TrainedRun.open(run)
    trained.count_before(split)
    config = trained.config.evaluation.model_copy(
        update={"repeats": "exclude", "new_item_events": RARE, "cutoffs": [CUTOFF]}
    )
    scorer = RetrievalScorer(trained.retrieval)
    result = evaluate(scorer, trained.dataset, split, config, batch_size=256)
    rare = result.slices["items new"]
    return {
        "all": result.metrics,
        "of shoppers": result.per_case[NDCG].tolist(),
        "rare": rare.metrics,
        "shoppers with rare targets": rare.cases,
    }


def table_of(rows: list[dict[str, Any]], title: str) -> Table:
    """Returns the figures for people; the first row is what all others are compared with."""
    first = np.array(rows[0]["of shoppers"])
    table = Table(
        title=title,
        caption=f"difference of {NDCG} to the first row, with its 95 % interval over "
        f"{len(first):,} shoppers; an item is rare up to {RARE} events in training",
    )
    table.add_column("way", no_wrap=True)
    for heading in (RECALL, NDCG, "difference", f"rare: {RECALL}", "processor minutes"):
        table.add_column(heading, justify="right")
    for row in rows:
        gain = np.array(row["of shoppers"]) - first
        table.add_row(
            row["name"],
            f"{row['all'][RECALL]:.4f}",
            f"{row['all'][NDCG]:.4f}",
            gain_with_interval(gain) if gain.any() else "",
            f"{row['rare'][RECALL]:.4f}" if row["rare"] else "",
            f"{row['processor minutes']:.1f}",
        )
    return table


if __name__ == "__main__":
    main()
