"""What the training of a ranking model shows in TensorBoard."""

from collections.abc import Mapping

import numpy as np
import scipy.special

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.models.ranking import RankingModel
from tfrec.monitoring.training.distributions import ScoreView, WeightView
from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.examples import (
    ExamplesView,
    choose_shoppers,
    item_names,
    shoppers_of,
)
from tfrec.monitoring.training.monitor import TimeBudget, TrainingMonitor, View
from tfrec.monitoring.training.progress import ProgressView
from tfrec.monitoring.training.tasks import Outcomes, TaskView
from tfrec.monitoring.training.validation import ValidationView
from tfrec.training.candidate_lists import CandidateLists
from tfrec.training.held_out_results import held_out_modes
from tfrec.training.monitors import DEAR_SHARE, common_views, log_folder
from tfrec.training.ranking_validation import RankingValidation, judged
from tfrec.training.run import RunDirectory


def ranking_monitor(
    run: RunDirectory,
    dataset: PreparedDataset,
    config: ExperimentConfig,
    model: RankingModel,
    shoppers: np.ndarray,
    lists: CandidateLists,
    validate: RankingValidation,
    *,
    profile: bool = False,
) -> TrainingMonitor:
    """Returns the monitor of a training that is about to begin.

    It looks on at the scores that `validate` computes, and has none computed for itself.

    Args:
        run: the run's folder.
        dataset: the prepared data set.
        config: the experiment.
        model: the model.
        shoppers: int64 `[num_shoppers]`, positions in the split `valid` of the held-out shoppers.
        lists: their candidate lists.
        validate: the validation of `model` on these lists.
        profile: whether a few steps are traced with the profiler.
    """
    log = EventLog(log_folder(run.path))
    if not config.ranking.training.tensorboard:
        return TrainingMonitor(log, [])
    modes = held_out_modes(dataset, shoppers, lists, config.evaluation.new_item_events)
    shown = next(
        (mode for mode in modes if mode.cases.repeats == config.evaluation.repeats), modes[0]
    )
    chosen = choose_shoppers(shown.cases)
    bought = np.max([lists.labels[event] for event in model.target_events], axis=0) > 0

    def scores() -> Mapping[str, np.ndarray]:
        return {"bought": validate.values[bought], "others": validate.values[~bought]}

    def outcomes() -> Outcomes:
        return {
            event: (lists.labels[event][kept], model_probabilities(model, event, logits[kept]))
            for event, logits in validate.logits.items()
            for kept in [judged(model, lists, event)]
        }

    views: list[View] = [
        *common_views(log, run, config, "ranking", profile=profile),
        ProgressView(log, lambda batch: int(batch["present"].shape[0])),
        ValidationView(log, lambda: [mode.result(validate.values) for mode in modes]),
        ExamplesView(
            log,
            shoppers_of(shown.cases, chosen),
            item_names(dataset.items),
            lambda: shown.top(validate.values, chosen),
        ),
        ScoreView(log, scores),
        WeightView(log, dict),
        TaskView(log, outcomes, TimeBudget(DEAR_SHARE)),
    ]
    return TrainingMonitor(log, views)


def model_probabilities(model: RankingModel, event: str, logits: np.ndarray) -> np.ndarray:
    """Returns the probability of an event, by the model's calibration as it is."""
    slope, offset = model.calibration[event].numpy()
    return scipy.special.expit(slope * logits + offset)
