"""What the trainings of both models show in TensorBoard."""

from pathlib import Path
from typing import Literal

from tfrec.config import ExperimentConfig
from tfrec.config.flat import flat
from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.graph import GraphView, ProfileView
from tfrec.monitoring.training.hparams import HParamsView, table_values
from tfrec.monitoring.training.layout import LayoutView
from tfrec.monitoring.training.monitor import View
from tfrec.training.run import RunDirectory

LOGS = "logs"
DEAR_SHARE = 0.01
"""Share of the training time that may go into each view that is dear."""


def log_folder(run: Path) -> Path:
    """Returns the folder of the event files of a model's run."""
    return run / LOGS


def common_views(
    log: EventLog,
    run: RunDirectory,
    config: ExperimentConfig,
    model: Literal["retrieval", "ranking"],
    *,
    profile: bool,
) -> list[View]:
    """Returns the views that need no model.

    Args:
        log: where they write.
        run: the run's folder.
        config: the experiment.
        model: which of its models is trained.
        profile: whether a few steps are traced with the profiler.
    """
    content = config.model_dump(mode="json", include={"text", "retrieval", "ranking"})
    every = table_values({"model": model, "seed": run.seed, **flat(content)})
    # The other model's settings had no part in this training.
    other = {"retrieval": "ranking.", "ranking": "retrieval."}[model]
    own = {name: value for name, value in every.items() if not name.startswith(other)}
    views: list[View] = [LayoutView(log), HParamsView(log, own, list(every)), GraphView(log)]
    if profile:
        views.append(ProfileView(log.folder))
    return views
