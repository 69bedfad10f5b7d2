"""The runs below a folder: what was trained, how it differs, and how good it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tfrec.config.flat import flat
from tfrec.errors import UserError
from tfrec.files import read_json
from tfrec.training.run import CONFIG, RECORD

DEEPEST = 5
MODELS = ("retrieval", "ranking")
SCORE = "valid_ndcg@10"
"""The metric that decides in the training of both models."""
FITTED = ("new_item_factor",)
"""Figures of a training that were picked from a few values, and say nothing of quality."""

# What had a part in the training of each model; the rest may differ without a difference.
SECTIONS = {
    "retrieval": ("seed", "data", "text", "retrieval", "evaluation.repeats"),
    "ranking": ("seed", "data", "text", "retrieval", "ranking", "evaluation.repeats"),
}


@dataclass(frozen=True)
class TrainedModel:
    """A model in a run, finished or not.

    Attributes:
        path: folder of the run, relative to where it was looked for.
        model: ``"retrieval"`` or ``"ranking"``.
        status: ``"finished"``, ``"unfinished"`` or ``"damaged"``.
        problem: what is wrong with a damaged one.
        started: when, UTC; empty where it is not known.
        epochs: epochs trained so far; `None` where it is not known.
        seconds: time that a finished training took.
        metrics: final metrics, or those of the best epoch so far.
        settings: everything that had a part in the training, by the path of its key.
    """

    path: str
    model: str
    status: str
    problem: str
    started: str
    epochs: int | None
    seconds: float | None
    metrics: dict[str, float]
    settings: dict[str, Any]


def find_models(folder: Path) -> list[TrainedModel]:
    """Returns the models of all runs in `folder` and below, oldest first.

    Folders that are half-written or damaged are listed as such; records of other programs are
    passed over.

    Raises:
        UserError: if there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    found = [_read(path, folder) for path in _records(folder, DEEPEST)]
    models = [model for model in found if model is not None]
    return sorted(models, key=lambda each: (each.started, each.path, each.model))


def differing_settings(models: Sequence[TrainedModel]) -> list[str]:
    """Returns the paths of the keys whose values are not the same in all readable models."""
    readable = [each.settings for each in models if each.settings]
    keys = list(dict.fromkeys(key for settings in readable for key in settings))
    return [
        key
        for key in keys
        if any(settings.get(key, _ABSENT) != readable[0].get(key, _ABSENT) for settings in readable)
    ]


_ABSENT = object()


def _records(folder: Path, depth: int) -> Iterator[Path]:
    """Yields the records below a folder; those of hidden folders are half-written or retired."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name == RECORD and folder.name in MODELS:
            yield entry
        elif depth and entry.is_dir() and not entry.is_symlink() and entry.name[0] != ".":
            yield from _records(entry, depth - 1)


def _read(path: Path, root: Path) -> TrainedModel | None:
    problem, record, settings = "", {}, {}
    try:
        record = read_json(path)
        if not isinstance(record, dict) or not {"model", "status"} <= set(record):
            return None
        settings = _settings(path.parent / CONFIG, record)
    except (UserError, OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
    progress, training = _mapping(record, "progress"), _mapping(record, "training")
    finished = record.get("status") == "finished"
    run = path.parent.parent
    return TrainedModel(
        path=str(run.relative_to(root)) if run != root else root.resolve().name,
        model=path.parent.name,
        status="damaged" if problem else "finished" if finished else "unfinished",
        problem=problem,
        started=str(record.get("started", "")),
        epochs=training.get("epochs") if finished else progress.get("epoch"),
        seconds=training.get("seconds"),
        metrics=_numbers(record.get("metrics") if finished else _best_so_far(progress)),
        settings=settings,
    )


def _settings(path: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings as they were written, so that those of other versions can be read."""
    if not path.is_file():
        raise UserError(f"{path} is missing")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no configuration")
    wanted = SECTIONS[path.parent.name]
    settings = {
        key: value
        for key, value in flat({**content, "seed": record.get("seed")}).items()
        if any(key == name or key.startswith(f"{name}.") for name in wanted)
    }
    return settings | {"dataset": str(_mapping(record, "dataset").get("checksum", ""))[:12]}


def _best_so_far(progress: dict[str, Any]) -> dict[str, Any]:
    """Returns the best validation so far, by the names of the final metrics."""
    best = _mapping(progress, "best")
    return {f"valid_{name}": value for name, value in best.items()}


def _mapping(record: dict[str, Any], key: str) -> dict[str, Any]:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _numbers(values: Any) -> dict[str, float]:
    if not isinstance(values, dict):
        return {}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
