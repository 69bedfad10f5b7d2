"""Trains both models on from those of a parent run."""

import numpy as np
import tensorflow as tf

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.input import InputOptions, count_batches, training_batches
from tfrec.models.retrieval import RetrievalModel
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.features import ItemFeatures
from tfrec.towers.spec import DataSpec
from tfrec.training.loop import TrainingLoop, TrainingSummary
from tfrec.training.precision import training_precision
from tfrec.training.retrieval import item_frequency, save_retrieval
from tfrec.training.retrieval_validation import RetrievalValidation
from tfrec.training.run import RunDirectory
from tfrec.training.run_progress import RunProgress
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

    An epoch without training is validated first, so the model that is kept is on the validation
    shoppers at least as good as its parent. Memory and trend are counted anew; their weights stay.
    A run that was killed continues.

    Args:
        dataset: the grown data set.
        sample: the same with the shoppers to train on.
        parent: the trained model.
        vectors: float32 `[num_items, text_dimension]`, of all items.
        run: the run's folder.
        config: from `update_config`.
    """
    tf.keras.utils.set_random_seed(run.seed)
    # Whether there are prices and vectors is in the shapes of the parent's weights.
    features = ItemFeatures.of(dataset, vectors, parent.spec.vector_sizes)
    fixed = {"use_price": parent.spec.use_price}
    model = RetrievalModel(
        Catalogue(features),
        DataSpec.of(dataset, features).model_copy(update=fixed),
        config.retrieval,
        item_frequency(dataset),
        precision=training_precision(config.retrieval.training),
    )
    model.build_weights()
    grow_weights(parent, model)
    start_as_served(parent, model, item_frequency(dataset) > 0)
    model.neighbourhood = parent.neighbourhood
    model.count(dataset.log_before("valid"))
    options = InputOptions.of(config.retrieval, run.seed)
    summary = TrainingLoop(
        model,
        model.parts,
        lambda epoch, skip: training_batches(sample, options, epoch, skip=skip),
        RetrievalValidation(
            model, dataset, config.evaluation, run.seed, config.update.validation_shoppers
        ),
        config.retrieval.training,
        run.path,
        "Retrieval",
        lambda epoch: count_batches(sample, options, epoch),
        [RunProgress(run)],
    ).run()
    model.count(dataset.log_before("test"))
    save_retrieval(model, run.path)
    return summary
