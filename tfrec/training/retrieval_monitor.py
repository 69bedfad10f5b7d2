"""What the training of a retrieval model shows in TensorBoard."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.models.retrieval import RetrievalModel
from tfrec.monitoring.training.distributions import ScoreView, SimilarityView, WeightView
from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.examples import (
    ROWS,
    ExamplesView,
    choose_shoppers,
    item_names,
    shoppers_of,
)
from tfrec.monitoring.training.monitor import TimeBudget, TrainingMonitor, View
from tfrec.monitoring.training.progress import ProgressView
from tfrec.monitoring.training.projector import ProjectorView, item_metadata
from tfrec.monitoring.training.score_sample import ScoreSample
from tfrec.monitoring.training.text_drift import TextDriftView
from tfrec.monitoring.training.validation import ValidationView
from tfrec.towers.bert.tower import BertTextTower
from tfrec.training.monitors import DEAR_SHARE, common_views, log_folder
from tfrec.training.retrieval_validation import RetrievalValidation
from tfrec.training.run import RunDirectory


def retrieval_monitor(
    run: RunDirectory,
    dataset: PreparedDataset,
    config: ExperimentConfig,
    model: RetrievalModel,
    validate: RetrievalValidation,
    *,
    profile: bool = False,
) -> TrainingMonitor:
    """Returns the monitor of a training that is about to begin.

    It looks on at the scores that `validate` computes, and has none computed for itself.

    Args:
        run: the run's folder.
        dataset: the prepared data set.
        config: the experiment.
        model: the model, with the weights that it starts from.
        validate: the validation of `model`.
        profile: whether a few steps are traced with the profiler.
    """
    log = EventLog(log_folder(run.path))
    if not config.retrieval.training.tensorboard:
        return TrainingMonitor(log, [])
    chosen = choose_shoppers(validate.cases)
    sample = ScoreSample(validate.scorer, validate.cases, chosen, ROWS, run.seed)
    validate.watched = sample

    def vectors() -> np.ndarray:
        return validate.scorer.item_vectors[1:]

    views: list[View] = [
        *common_views(log, run, config, "retrieval", profile=profile),
        ProgressView(log, lambda batch: int(tf.math.count_nonzero(batch["target"]))),
        ValidationView(log, lambda: validate.results),
        ExamplesView(
            log,
            shoppers_of(validate.cases, chosen),
            item_names(dataset.items),
            lambda: sample.lists,
        ),
        ScoreView(
            log,
            lambda: {"bought": sample.target_scores, "others": sample.other_scores.ravel()},
        ),
        SimilarityView(log, vectors, run.seed),
        WeightView(log, lambda: _tables(model)),
        ProjectorView(
            log.folder,
            vectors,
            item_metadata(dataset.items, dataset.categorical_columns),
            TimeBudget(DEAR_SHARE),
        ),
    ]
    if model.catalogue.text_encoder is not None:
        views.append(
            TextDriftView(
                log,
                # As they were when each was last in a batch, which costs nothing to know.
                lambda: model.catalogue.text.numpy()[1:],
                _text_layers(model.catalogue.text_encoder),
            )
        )
    return TrainingMonitor(log, views)


def _tables(model: RetrievalModel) -> Mapping[str, np.ndarray]:
    """Returns the embedding tables of the item tower without their rows for padding."""
    tower = model.item_tower
    tables = {"item_id": tower.id_offset, **tower.category_tables}
    # With `content_only` there is no id.
    return {name: table.numpy()[1:] for name, table in tables.items() if table.shape[0] > 1}


def _text_layers(encoder: BertTextTower) -> dict[str, list[tf.Variable]]:
    return {
        layer.name: layer.trainable_variables
        for layer in encoder.backbone.layers
        if layer.trainable_variables
    }
