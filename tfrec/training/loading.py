"""Opens a trained run: its data set and the models in it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfrec.config import ExperimentConfig, SurfaceConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.log_statistics import LogStatistics
from tfrec.errors import UserError
from tfrec.models.recommender import Ranker, Recommender, Retriever
from tfrec.models.retrieval import RetrievalModel
from tfrec.rerank.display_order import DisplayOrder
from tfrec.training.ranking import load_ranker
from tfrec.training.retrieval import load_retrieval, load_text_vectors
from tfrec.training.run import RunDirectory, config_of_both


@dataclass
class TrainedRun:
    """The data set and the models of a run.

    Attributes:
        dataset: the prepared data set that the models were trained on.
        config: the configuration, ranking and evaluation as given when the ranking model was
            trained, the rest as given when the retrieval model was.
        text_vectors: float32 `[num_items, text_dimension]`.
        retrieval: the retrieval model.
        ranker: the ranking model with its features, or `None` where the run has none.
        counted_before: the split that the log ends before which the models know counts of.
    """

    dataset: PreparedDataset
    config: ExperimentConfig
    text_vectors: np.ndarray
    retrieval: RetrievalModel
    ranker: Ranker | None
    counted_before: str = "test"

    @classmethod
    def open(cls, path: str | Path, data: str | Path | None = None) -> "TrainedRun":
        """Opens a run.

        Args:
            path: the run's folder.
            data: the data set, where it is no longer in the place that the run recorded.

        Raises:
            UserError: if a model or the data set is missing, unfinished or damaged, or the data
                set is not the one that the models were trained on.
        """
        path = Path(path)
        first = RunDirectory.open(path, "retrieval")
        data = first.dataset_path if data is None else Path(data)
        if not data.exists():
            raise UserError(
                f"the data set of the run {path} is no longer at {data}; name its place with --data"
            )
        dataset = PreparedDataset.open(data)
        first.check_dataset(data, dataset.checksum)
        config = first.config
        retrieval = load_retrieval(first.path, config, dataset.items)
        ranker = None
        if (path / "ranking").exists():
            second = RunDirectory.open(path, "ranking")
            second.check_dataset(data, dataset.checksum)
            config = config_of_both(first, second)
            ranker = load_ranker(second.path, retrieval, config.ranking)
        return cls(dataset, config, load_text_vectors(first.path), retrieval, ranker)

    def count_before(self, split: str) -> None:
        """Lets the models know the counts of the log before a split, as is fair when predicting it.

        Args:
            split: `valid` or `test`; a run that was opened knows the log before `test`.
        """
        if split == self.counted_before:
            return
        self.retrieval.count(self.dataset.log_before(split))
        if self.ranker is not None:
            neighbours = self.config.ranking.neighbours
            self.ranker.features.fill(LogStatistics.build(self.dataset, neighbours, before=split))
        self.counted_before = split

    def recommender(
        self, surface: SurfaceConfig | None = None, opening: np.ndarray | None = None
    ) -> Recommender | None:
        """Returns the two stages together, or `None` where there is no ranking model.

        Args:
            surface: the display order; `None` for that of the ranking model.
            opening: the scores for shoppers without a history, as in `Retriever`.
        """
        if self.ranker is None:
            return None
        retriever = Retriever(self.retrieval, opening)
        display = None
        if surface is not None:
            categories = self.retrieval.catalogue.categories
            display = DisplayOrder.of(surface, self.dataset.items, categories)
        return Recommender(retriever, self.ranker, self.config.ranking.candidates, display)
