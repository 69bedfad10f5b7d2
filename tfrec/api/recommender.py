"""The recommender as a notebook uses it: trained, measured, asked, kept and exported."""

import shutil
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

import tfrec
from tfrec.api.datasets import load_dataset
from tfrec.api.experiments import Source, configure
from tfrec.api.local_models import LocalModels
from tfrec.api.product_questions import ProductQuestions
from tfrec.api.scratch import scratch_folder
from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.evaluation.report import Report
from tfrec.export.bundle import Bundle
from tfrec.export.exportable import Exportable
from tfrec.export.exporter import Exported, export_trained, exportable_of
from tfrec.export.versions import versions_of
from tfrec.files import atomic_folder, write_json
from tfrec.training.evaluation import evaluate_run
from tfrec.training.loading import TrainedRun
from tfrec.training.run import RunDirectory
from tfrec.training.stages import run_ranking, run_retrieval

DATA, RUN, SAVED = "data", "run", "recommender.json"
NOTHING = "nothing is trained yet; call fit, or open a trained one with Recommender.load"


class Recommender(ProductQuestions):
    """Both models of a shop, trained and asked in this process.

    It does what the commands do, with the same results: `fit` is `tfrec train retrieval` and
    `tfrec train ranking`, `evaluate` is `tfrec evaluate`, and the answers are those of the models
    that `export` writes, because they come from the same graphs.

    Args:
        config: the experiment, as in `tfrec.configure`.

    Example:
        ```python
        dataset = tfrec.load_dataset("online_retail", out="data")
        recommender = tfrec.Recommender("online_retail").fit(dataset, run="run")
        recommender.recommend(["85123A", "22423"], k=5)
        ```
    """

    def __init__(self, config: Source = None) -> None:
        self.config: ExperimentConfig = configure(config)
        self._run: Path | None = None
        self._trained: TrainedRun | None = None
        self._exported: Exportable | None = None

    def fit(
        self,
        dataset: PreparedDataset | str | Path,
        run: str | Path | None = None,
        *,
        overwrite: bool = False,
    ) -> "Recommender":
        """Trains the retrieval model, then the ranking model on its candidates.

        A training that was stopped continues; one that was finished with the same settings on the
        same data is opened and not repeated.

        Args:
            dataset: the prepared data set or its folder.
            run: folder of the run, which TensorBoard can watch. Without it, a temporary folder
                that goes with this process.
            overwrite: whether to replace models of other settings that are in the run.

        Returns:
            This recommender.

        Raises:
            UserError: if the run holds something else and `overwrite` is false.
        """
        if not isinstance(dataset, PreparedDataset):
            dataset = load_dataset(dataset)
        folder = scratch_folder("run") if run is None else Path(run)
        if not RunDirectory.is_finished(folder, "retrieval", self.config, dataset.checksum):
            run_retrieval(dataset, folder, self.config, overwrite=overwrite)
            # Its ranking model, whether finished or not, is that of another retrieval model.
            shutil.rmtree(folder / "ranking", ignore_errors=True)
        if not RunDirectory.is_finished(folder, "ranking", self.config, dataset.checksum):
            run_ranking(dataset, folder, self.config, overwrite=overwrite)
        self._open(TrainedRun.open(folder, dataset.path), folder)
        return self

    def evaluate(
        self, split: str = "test", *, repeats: Literal["count", "exclude"] | None = None
    ) -> Report:
        """Measures both models beside tuned baselines on the full catalogue.

        Args:
            split: ``"valid"`` or ``"test"``; look at test once, when everything is decided.
            repeats: items that a shopper had before: count them as hits, or leave them out; the
                configuration's by default.

        Raises:
            UserError: if nothing is trained, or there is no such split.
        """
        trained = self._need_run("evaluate")
        config = trained.config.evaluation
        if repeats is not None:
            config = config.model_copy(update={"repeats": repeats})
        return evaluate_run(trained, split, config, seed=trained.config.seed)

    def item_vectors(self) -> pd.DataFrame:
        """Returns the items' unit vectors, a row an item, by item id.

        Raises:
            UserError: if nothing is trained.
        """
        source = self._need_models()
        vectors = source.retrieval.item_vectors().numpy()[1:]
        return pd.DataFrame(vectors.astype(np.float32), index=source.items["item_id"])

    def text_vectors(self) -> pd.DataFrame:
        """Returns the unit vectors of the items' texts, as the trained BERT reads them, by item id.

        Raises:
            UserError: if nothing is trained.
        """
        source = self._need_models()
        return pd.DataFrame(source.text_vectors, index=source.items["item_id"])

    def save(self, folder: str | Path) -> Path:
        """Copies the trained run and its data set into one folder, which `load` opens anywhere.

        Args:
            folder: a new folder; one that exists is replaced if it was saved before.

        Raises:
            UserError: if nothing is trained, or the folder holds something else.
        """
        trained, folder = self._need_run("save"), Path(folder)
        assert self._run is not None
        if folder.is_dir() and any(folder.iterdir()) and not (folder / SAVED).is_file():
            raise UserError(f"{folder} holds other things, which would be lost; save elsewhere")
        with atomic_folder(folder) as temporary:
            write_json(temporary / SAVED, {"tfrec": tfrec.__version__})
            shutil.copytree(trained.dataset.path, temporary / DATA)
            shutil.copytree(self._run, temporary / RUN)
        return folder

    @classmethod
    def load(cls, folder: str | Path, data: str | Path | None = None) -> "Recommender":
        """Opens what `save`, `fit`, `tfrec train` or `tfrec export` left in a folder.

        A folder of exported models, refreshed ones included, answers like any other, but has no
        data to be evaluated on.

        Args:
            folder: a saved recommender, a run, or a folder of exported models.
            data: the run's data set, where it has moved.

        Raises:
            UserError: if there is nothing whole to open.
        """
        folder = Path(folder)
        if (folder / SAVED).is_file():
            folder, data = folder / RUN, folder / DATA
        if versions_of(folder / "retrieval"):
            bundle = Bundle.open(folder)
            recommender = cls(bundle.config)
            recommender._exported = bundle.exportable(
                bundle.items(), bundle.text_vectors(), bundle.config
            )
            return recommender
        trained = TrainedRun.open(folder, data)
        recommender = cls(trained.config)
        recommender._open(trained, folder)
        return recommender

    def export(self, models: str | Path) -> Exported:
        """Writes the models as a new version that a model server loads, as `tfrec export` does.

        Raises:
            UserError: if nothing is trained, or the models cannot be written.
        """
        trained = self._need_run("export")
        assert self._run is not None
        return export_trained(self._run, trained, models)

    def __repr__(self) -> str:
        if self._trained is not None:
            items = self._trained.dataset.num_items
            return f"Recommender of {items:,} items, trained in {self._run}"
        if self._exported is not None:
            return f"Recommender of {len(self._exported.items):,} items, from exported models"
        return "Recommender, not trained yet"

    def _open(self, trained: TrainedRun, run: Path) -> None:
        self._trained, self._run = trained, run
        self.__dict__.pop("_models", None)
        self._exported = exportable_of(run, trained)

    @cached_property
    def _models(self) -> LocalModels:
        return LocalModels(self._need_models())

    def _need_models(self) -> Exportable:
        if self._exported is None:
            raise UserError(NOTHING)
        return self._exported

    def _need_run(self, what: str) -> TrainedRun:
        self._need_models()
        if self._trained is None:
            raise UserError(f"exported models cannot {what}; load the run that they came from")
        return self._trained
