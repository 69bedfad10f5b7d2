"""What the trainings of both models show in TensorBoard."""

from pathlib import Path
from typing import Literal

from tfrec.config import ExperimentConfig
from tfrec.config.flat import flat
from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.graph import GraphView, ProfileView
from tfrec.monitoring.training.hparams import HParamsView
from tfrec.monitoring.training.layout import LayoutView
from tfrec.monitoring.training.monitor import View
from tfrec.training.run import RunDirectory

LOGS = "logs"
HPARAMS = "hparams"
DEAR_SHARE = 0.005
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
    content = config.model_dump(mode="json", include={"text", model})
    settings = {"model": model, "seed": run.seed, **flat(content)}
    # Many a folder is called `run`, so the one around it is part of the name.
    name = "/".join(run.path.resolve().parts[-3:])
    views: list[View] = [
        LayoutView(log),
        HParamsView(EventLog(run.path / HPARAMS), name, settings),
        GraphView(log),
    ]
    if profile:
        views.append(ProfileView(log.folder))
    return views
