"""Trains both models on from those of a parent run."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.input import InputOptions, count_batches, training_batches
from tfrec.data.log_statistics import LogStatistics
from tfrec.models.retrieval import RetrievalModel
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.features import ItemFeatures
from tfrec.towers.spec import DataSpec
from tfrec.training.loop import TrainingLoop, TrainingSummary
from tfrec.training.precision import training_precision
from tfrec.training.ranking import ranker_of_parent
from tfrec.training.retrieval import item_frequency, save_retrieval
from tfrec.training.run import RunDirectory
from tfrec.training.run_progress import RunProgress
from tfrec.updating.contenders import Contender
from tfrec.updating.growing import grow_weights, start_as_served
from tfrec.updating.sample import TrainingSample


def update_config(config: ExperimentConfig) -> ExperimentConfig:
    """Returns the configuration that an update trains with: fewer epochs, smaller steps."""
    update = config.update
    training = config.retrieval.training
    factor = update.learning_rate_factor
    retrieval = training.model_copy(
        update={
            "epochs": update.epochs,
            "learning_rate": training.learning_rate * factor,
            "tensorboard": False,
        }
    )
    training = config.ranking.training
    ranking = training.model_copy(
        update={
            "epochs": update.ranking_epochs,
            "learning_rate": training.learning_rate * factor,
            "tensorboard": False,
        }
    )
    return config.model_copy(
        update={
            "retrieval": config.retrieval.model_copy(update={"training": retrieval}),
            "ranking": config.ranking.model_copy(update={"training": ranking}),
        }
    )


def update_retrieval(
    dataset: PreparedDataset,
    sample: TrainingSample,
    parent: RetrievalModel,
    vectors: np.ndarray,
    run: RunDirectory,
    config: ExperimentConfig,
) -> TrainingSummary:
    """Trains a retrieval model on from its parent, and leaves it in the run's folder.

    Nothing is validated on the way: whether the model takes its parent's place is for the gate to
    say. Memory and trend are counted anew; their weights stay. A run that was killed continues.

    Args:
        dataset: the grown data set.
        sample: the same with the shoppers to train on.
        parent: the trained model.
        vectors: float32 `[num_items, text_dimension]`, of all items.
        run: the run's folder.
        config: from `update_config`.
    """
    tf.keras.utils.set_random_seed(run.seed)
    model = grown_model(dataset, parent, vectors, config, item_frequency(dataset))
    model.count(dataset.log_before("valid"))
    options = InputOptions.of(config.retrieval, run.seed)
    summary = TrainingLoop(
        model,
        {**model.parts, **model.training_state},
        lambda epoch, skip: training_batches(sample, options, epoch, skip=skip),
        None,
        config.retrieval.training,
        run.path,
        "Retrieval",
        lambda epoch: count_batches(sample, options, epoch),
        [RunProgress(run)],
    ).run()
    model.count(dataset.log_before("test"))
    save_retrieval(model, run.path)
    return summary


def recount(
    dataset: PreparedDataset,
    parent: Contender,
    vectors: np.ndarray,
    folders: tuple[Path, Path],
    config: ExperimentConfig,
) -> None:
    """Leaves both models of the parent in the folders of a run, trained no further.

    They know the grown catalogue and the counts of the newest log, which age sooner than weights.

    Args:
        dataset: the grown data set.
        parent: the trained models.
        vectors: float32 `[num_items, text_dimension]`, of all items.
        folders: of the retrieval and the ranking model.
        config: the experiment.
    """
    model = grown_model(dataset, parent.retrieval, vectors, config)
    model.count(dataset.log_before("test"))
    save_retrieval(model, folders[0])
    statistics = LogStatistics.build(dataset, config.ranking.neighbours, before="test")
    ranker_of_parent(parent.ranker.model, model, statistics, config.ranking, folders[1])


def grown_model(
    dataset: PreparedDataset,
    parent: RetrievalModel,
    vectors: np.ndarray,
    config: ExperimentConfig,
    item_frequency: np.ndarray | None = None,
) -> RetrievalModel:
    """Returns a retrieval model with the weights of its parent over a catalogue that has grown.

    Args:
        dataset: the grown data set.
        parent: the trained model, over the same catalogue.
        vectors: float32 `[num_items, text_dimension]`, of all items.
        config: the experiment.
        item_frequency: as in `RetrievalModel`; None for a model that is not trained on.
    """
    features = ItemFeatures.of(dataset, vectors, parent.spec.vector_sizes)
    # Whether there are prices and vectors is in the shapes of the parent's weights.
    fixed = {"use_price": parent.spec.use_price}
    model = RetrievalModel(
        Catalogue(features),
        DataSpec.of(dataset, features).model_copy(update=fixed),
        config.retrieval,
        item_frequency,
        precision=training_precision(config.retrieval.training),
    )
    model.build_weights()
    grow_weights(parent, model)
    sold = np.zeros(model.spec.num_ids + 1) if item_frequency is None else item_frequency
    start_as_served(parent, model, sold > 0)
    model.neighbourhood = parent.neighbourhood
    return model
