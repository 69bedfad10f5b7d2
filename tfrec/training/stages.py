"""The trainings of the two models as stages of a run: from a data set to a finished folder."""

from collections.abc import Sequence
from pathlib import Path

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.models.event_weights import check_event_weights
from tfrec.monitoring.training.observer import TrainingObserver
from tfrec.training.loop import TrainingSummary
from tfrec.training.ranking import train_ranking
from tfrec.training.retrieval import load_retrieval, train_retrieval
from tfrec.training.run import RunDirectory
from tfrec.training.transfer import SourceRun


def run_retrieval(
    dataset: PreparedDataset,
    out: str | Path,
    config: ExperimentConfig,
    *,
    seed: int | None = None,
    overwrite: bool = False,
    profile: bool = False,
    observers: Sequence[TrainingObserver] = (),
    start_from: str | Path | None = None,
) -> tuple[RunDirectory, TrainingSummary]:
    """Trains the retrieval model of a run; one that was stopped continues.

    Args:
        dataset: the prepared data set.
        out: the run's folder.
        config: the experiment.
        seed: seed of the training; None for the configuration's.
        overwrite: whether to replace a model that is already in the run.
        profile: whether a few steps are traced with TensorFlow's profiler.
        observers: are told of every step and every validation.
        start_from: a finished run, usually of another shop, whose weights are taken where they
            fit; what is taken and what is not is written line by line.

    Raises:
        UserError: if the run holds something else and `overwrite` is false, or nothing of
            `start_from` fits.
    """
    source = None if start_from is None else SourceRun.open(start_from)
    if source is not None:
        source.check(config)
    elif not config.retrieval.training.epochs:
        raise UserError(
            "retrieval.training.epochs is 0 and there is nothing to start from; set it to 1 or "
            "more, or name another shop's run with --from"
        )
    directory = _start(dataset, out, "retrieval", config, seed, overwrite, source)
    summary = train_retrieval(
        dataset,
        directory,
        config,
        profile=profile,
        observers=observers,
        start=None
        if source is None
        else lambda model, score: source.start(model, score, config.transfer),
    )
    directory.finish({"valid_ndcg@10": summary.best_score}, **summary.facts())
    return directory, summary


def run_ranking(
    dataset: PreparedDataset,
    out: str | Path,
    config: ExperimentConfig,
    *,
    seed: int | None = None,
    overwrite: bool = False,
    profile: bool = False,
    observers: Sequence[TrainingObserver] = (),
) -> tuple[RunDirectory, TrainingSummary, dict[str, float]]:
    """Trains the ranking model of a run on the candidates of its finished retrieval model.

    Args: those of `run_retrieval`.

    Returns:
        The model's folder, how the training went, and the quality on held-out shoppers.

    Raises:
        UserError: if there is no finished retrieval model, it was trained on other data, the run
            holds something else and `overwrite` is false, or there is no epoch or no example to
            train; if a weight is that of no target event.
    """
    if not config.ranking.training.epochs:
        raise UserError(
            "ranking.training.epochs is 0, and a ranking model has nothing to start from; set it "
            "to 1 or more"
        )
    check_event_weights(config.ranking.event_weights, dataset.target_events, "ranking")
    feedback = config.ranking.feedback
    if feedback.mode == "instead" and feedback.examples is None:
        raise UserError(
            "ranking.feedback.mode is instead, but there are no examples to train on; name their "
            "folder with --feedback or ranking.feedback.examples, or set the mode to beside"
        )
    first_stage = RunDirectory.open(out, "retrieval")
    first_stage.check_dataset(dataset.path, dataset.checksum)
    directory = _start(dataset, out, "ranking", config, seed, overwrite)
    retrieval = load_retrieval(first_stage.path, first_stage.config, dataset.items)
    summary, quality = train_ranking(
        dataset, retrieval, directory, config, profile=profile, observers=observers
    )
    directory.finish({"valid_ndcg@10": summary.best_score, **quality}, **summary.facts())
    return directory, summary, quality


def _start(
    dataset: PreparedDataset,
    out: str | Path,
    model: str,
    config: ExperimentConfig,
    seed: int | None,
    overwrite: bool,
    source: SourceRun | None = None,
) -> RunDirectory:
    return RunDirectory.create(
        out,
        model,
        config,
        dataset.path,
        dataset.checksum,
        config.seed if seed is None else seed,
        overwrite=overwrite,
        started_from=None if source is None else source.record,
    )
