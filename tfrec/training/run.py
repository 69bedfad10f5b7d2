"""The folder of a trained model, and the record of what it was trained from."""

import importlib.metadata
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tfrec
from tfrec.config import ExperimentConfig, dump_config, load_stored_config
from tfrec.errors import UserError
from tfrec.files import atomic_folder, read_json, write_json

RECORD = "run.json"
CONFIG = "config.yaml"
FORMAT = 1
DECIDED_LAST = ("ranking", "display", "surfaces", "evaluation", "export")
"""Sections for which the training of the ranking model, the later one, has the last word."""
RECORDED_PACKAGES = (
    "tensorflow",
    "tf-keras",
    "tensorflow-text",
    "tensorflow-recommenders",
    "keras-nlp",
    "numpy",
    "pandas",
    "pyarrow",
)


class RunDirectory:
    """``RUN/<model>``: the configuration, the record, and whatever training writes beside them.

    ``config.yaml`` holds the effective configuration and ``run.json`` the record: status, seed,
    path and checksum of the prepared data set, package versions, times and metrics.

    Attributes:
        path: the model's folder in the run.
        resumed: whether `create` found an unfinished run of the same settings to continue.
    """

    def __init__(self, path: Path, *, resumed: bool = False) -> None:
        self.path = path
        self.resumed = resumed

    @classmethod
    def create(
        cls,
        path: str | Path,
        model_name: str,
        config: ExperimentConfig,
        dataset_path: str | Path,
        dataset_checksum: str,
        seed: int,
        *,
        overwrite: bool = False,
        started_from: Mapping[str, Any] | None = None,
    ) -> "RunDirectory":
        """Starts a run, or continues the unfinished one of the same settings.

        Args:
            path: the run, which may hold several models.
            model_name: ``"retrieval"`` or ``"ranking"``.
            config: the effective configuration of the experiment.
            dataset_path: folder of the prepared data set.
            dataset_checksum: the data set's `PreparedDataset.checksum`.
            seed: seed of everything random in the training.
            overwrite: replace what is there unless it can be continued.
            started_from: the run of another shop that gives the first weights, for the record.

        Raises:
            UserError: if the folder holds a finished run, or one of other settings, and
                `overwrite` is false; or if it may not be written to.
        """
        run = cls(Path(path) / model_name)
        settings = {
            "format": FORMAT,
            "model": model_name,
            "seed": seed,
            "dataset": {"path": str(Path(dataset_path).resolve()), "checksum": dataset_checksum},
            "tfrec": tfrec.__version__,
        }
        if started_from is not None:
            settings["started_from"] = dict(started_from)
        if run.path.exists():
            difference = run._difference(settings, config)
            if not difference:
                run.resumed = True
                return run
            if not overwrite:
                raise UserError(
                    f"{run.path} already holds {difference}; choose another --out, or add "
                    "--overwrite to replace it"
                )
        record = {
            **settings,
            "status": "training",
            "started": _now(),
            "finished": None,
            "python": platform.python_version(),
            "packages": {name: importlib.metadata.version(name) for name in RECORDED_PACKAGES},
            "metrics": {},
        }
        with atomic_folder(run.path) as temporary:
            (temporary / CONFIG).write_text(dump_config(config), encoding="utf-8")
            write_json(temporary / RECORD, record)
        return run

    @classmethod
    def open(cls, path: str | Path, model_name: str) -> "RunDirectory":
        """Opens a finished run.

        Raises:
            UserError: if the run or the model is missing, unfinished or damaged.
        """
        path = Path(path)
        train = f"`tfrec train {model_name} --out {path}`"
        if not path.is_dir():
            raise UserError(f"there is no run folder {path}; make one with {train}")
        run = cls(path / model_name)
        if not (run.path / RECORD).is_file():
            raise UserError(f"{path} holds no {model_name} model; train it with {train}")
        if run._read()["status"] != "finished":
            raise UserError(
                f"the training of {run.path} did not finish; run {train} again with the same "
                "options to continue it"
            )
        return run

    @classmethod
    def is_finished(
        cls, path: str | Path, model_name: str, config: ExperimentConfig, dataset_checksum: str
    ) -> bool:
        """Whether a run holds a model that was trained to the end with just these settings.

        Args:
            path: the run.
            model_name: ``"retrieval"`` or ``"ranking"``.
            config: the effective configuration of the experiment, whose seed is meant as well.
            dataset_checksum: the data set's `PreparedDataset.checksum`.

        Raises:
            UserError: if there is a record, but a damaged one.
        """
        run = cls(Path(path) / model_name)
        return (
            (run.path / RECORD).is_file()
            and run.finished
            and run.dataset_checksum == dataset_checksum
            and run.seed == config.seed
            and run.config == config
        )

    def check_dataset(self, path: str | Path, checksum: str) -> None:
        """Makes sure that the run was trained on the data set at `path`.

        Raises:
            UserError: if the checksums differ.
        """
        if checksum != self.dataset_checksum:
            raise UserError(
                f"{self.path} was trained on other data than {path} (checksum "
                f"{self.dataset_checksum[:12]}, not {checksum[:12]}); name the data set it was "
                f"trained on, which was at {self.dataset_path}, or train again"
            )

    def update(self, **facts: Any) -> None:
        """Adds `facts` to the record, or replaces them there; mappings are merged."""
        record = self._read()
        for name, value in facts.items():
            old = record.get(name)
            if isinstance(old, dict) and isinstance(value, Mapping):
                value = {**old, **value}
            record[name] = value
        write_json(self.path / RECORD, record)

    def finish(self, metrics: Mapping[str, float], **facts: Any) -> None:
        """Marks the run as finished, so that `open` accepts it."""
        self.update(status="finished", finished=_now(), metrics=metrics, **facts)

    @property
    def record(self) -> dict[str, Any]:
        """The content of ``run.json``."""
        return self._read()

    @property
    def config(self) -> ExperimentConfig:
        """The effective configuration of the run."""
        return load_stored_config(self.path / CONFIG)

    @property
    def finished(self) -> bool:
        """Whether the training ended."""
        return self._read()["status"] == "finished"

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return self._read()["seed"]

    @property
    def dataset_path(self) -> Path:
        """Where the prepared data set was."""
        return Path(self._read()["dataset"]["path"])

    @property
    def dataset_checksum(self) -> str:
        """The checksum of the prepared data set."""
        return self._read()["dataset"]["checksum"]

    @property
    def metrics(self) -> dict[str, float]:
        """What `finish` recorded."""
        return self._read()["metrics"]

    def _read(self) -> dict[str, Any]:
        path = self.path / RECORD
        record = read_json(path)
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise UserError(
                f"{path} is not a run record of this version of tfrec (format {FORMAT}); "
                "train the model again"
            )
        return record

    def _difference(self, settings: Mapping[str, Any], config: ExperimentConfig) -> str:
        """Returns why the run in the folder cannot be continued; "" if it can."""
        if not (self.path / RECORD).exists():
            return "something that is not a run"
        try:
            record = self._read()
            if record["status"] == "finished":
                return "a finished run"
            if record["seed"] != settings["seed"]:
                return f"an unfinished run with seed {record['seed']}"
            if record["dataset"]["checksum"] != settings["dataset"]["checksum"]:
                return f"an unfinished run on other data ({record['dataset']['path']})"
            if record["tfrec"] != settings["tfrec"]:
                return f"an unfinished run of tfrec {record['tfrec']}"
            if record.get("started_from") != settings.get("started_from"):
                return "an unfinished run that started from other weights (--from)"
            if self.config != config:
                return "an unfinished run with another configuration"
        except UserError:
            return "a damaged run"
        return ""


def config_of_both(retrieval: RunDirectory, ranking: RunDirectory) -> ExperimentConfig:
    """Returns the configuration of a run: its ranking model was trained last."""
    later = {name: getattr(ranking.config, name) for name in DECIDED_LAST}
    return retrieval.config.model_copy(update=later)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
