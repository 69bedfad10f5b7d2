"""Loads trained runs over a data set that has grown since, as they would recommend now."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.log_statistics import LogStatistics
from tfrec.data.records import Histories
from tfrec.models.recommender import Ranker, Recommender, Retriever
from tfrec.models.retrieval import RetrievalModel
from tfrec.towers.bert.vectors import TextVectors
from tfrec.towers.bert.weights import find_weights
from tfrec.training.ranking import load_ranker
from tfrec.training.retrieval import load_retrieval, load_text_vectors
from tfrec.training.run import RunDirectory, config_of_both
from tfrec.updating.log import without_new_items


@dataclass
class Contender:
    """Both models of a run over a data set's catalogue.

    Attributes:
        dataset: the data set.
        retrieval: the retrieval model.
        ranker: the ranking model.
        config: the run's configuration.
    """

    dataset: PreparedDataset
    retrieval: RetrievalModel
    ranker: Ranker
    config: ExperimentConfig

    @classmethod
    def load(cls, run: Path, dataset: PreparedDataset, vectors: np.ndarray) -> "Contender":
        """Loads a run.

        Args:
            run: its folder.
            dataset: its data set or one that has grown from it.
            vectors: float32 `[num_items, text_dimension]`, of all items.

        Raises:
            UserError: if a file of the run is missing or damaged.
        """
        first, second = RunDirectory.open(run, "retrieval"), RunDirectory.open(run, "ranking")
        config = config_of_both(first, second)
        retrieval = load_retrieval(first.path, config, dataset.items, vectors)
        return cls(dataset, retrieval, load_ranker(second.path, retrieval, config.ranking), config)

    def count(self, log: Histories) -> None:
        """Lets the models know the counts of a log, as far as they have numbers for its items."""
        self.retrieval.count(without_new_items(log, self.retrieval.spec.num_ids))
        neighbours = self.config.ranking.neighbours
        self.ranker.features.fill(LogStatistics.of(log, self.dataset, neighbours))

    def recommender(self) -> Recommender:
        """Returns the two stages together."""
        return Recommender(
            Retriever(self.retrieval),
            self.ranker,
            min(self.config.ranking.candidates, self.dataset.num_items),
        )


def all_text_vectors(
    dataset: PreparedDataset,
    run: Path,
    run_dataset: PreparedDataset,
    config: ExperimentConfig,
    cache: Path,
) -> tuple[np.ndarray, int]:
    """Returns the text vectors of all items, reading with BERT only what a run has no vector of.

    Args:
        dataset: the data set that has grown.
        run: folder of a run.
        run_dataset: its data set.
        config: the experiment.
        cache: folder for the vectors of new texts.

    Returns:
        float32 `[num_items, text_dimension]`, and the number of texts that were not known.
    """
    known = load_text_vectors(run / "retrieval")
    place = {text: row for row, text in enumerate(run_dataset.items["text"])}
    texts = dataset.items["text"].tolist()
    fresh = list(dict.fromkeys(text for text in texts if text not in place))
    if fresh:
        files = find_weights(config.text.bert)
        vectors = TextVectors(cache, files, config.text.max_tokens).encode(fresh)
        place |= {text: len(known) + row for row, text in enumerate(fresh)}
        known = np.concatenate([known, vectors])
    return known[[place[text] for text in texts]], len(fresh)
