"""Trains the ranking model of a run on the candidates of its retrieval model, and loads it."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
import tensorflow as tf

from tfrec.config import ExperimentConfig, RankingConfig, RankingFeedbackConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.log_statistics import LogStatistics
from tfrec.errors import UserError
from tfrec.evaluation.probabilities import auc, expected_calibration_error, log_loss
from tfrec.feedback.examples import EXAMPLES
from tfrec.files import read_json, sha256_of_file, write_json
from tfrec.models.alike_items import AlikeItems
from tfrec.models.ranking import RankingModel
from tfrec.models.ranking_features import CandidateFeatures, feature_names
from tfrec.models.recommender import Ranker, Retriever
from tfrec.models.retrieval import RetrievalModel
from tfrec.monitoring.training.observer import TrainingObserver
from tfrec.training.candidate_lists import (
    CandidateLists,
    drawn_shoppers,
    holdout_shoppers,
    list_batches,
)
from tfrec.training.loop import TrainingLoop, TrainingSummary
from tfrec.training.new_item_factor import fit_new_item_factor
from tfrec.training.precision import training_precision
from tfrec.training.ranking_lists import (
    HOLDOUT,
    LISTS,
    NEW_ITEMS,
    make_lists,
    read_lists,
    trained_on,
)
from tfrec.training.ranking_monitor import ranking_monitor
from tfrec.training.ranking_validation import RankingValidation, judged, predict
from tfrec.training.retrieval import LOADING_ERRORS, weights_fingerprint
from tfrec.training.run import RunDirectory
from tfrec.training.run_progress import RunProgress

STATISTICS = "statistics.npz"
ALIKE = "alike.npz"
WEIGHTS = "weights"
FEATURES = "features.json"
NORMALISE_BATCH = 65_536


def train_ranking(
    dataset: PreparedDataset,
    retrieval: RetrievalModel,
    run: RunDirectory,
    config: ExperimentConfig,
    *,
    profile: bool = False,
    parent: RankingModel | None = None,
    observers: Sequence[TrainingObserver] = (),
) -> tuple[TrainingSummary, dict[str, float]]:
    """Trains the ranking model and leaves it in the run's folder.

    The lists are the retrieval model's own candidates for the shoppers of the validation period,
    whose events the retrieval model has not seen, so that its scores are as good there as they
    will be on new events; what is counted from the log ends before that period. They are also
    learned from as if they had come within it (`arrivals`). A share of those shoppers is held out
    for early stopping and for the calibration. Of very many shoppers some are drawn, as their lists
    stay in memory. Where the configuration names examples of `tfrec feedback labels`, these are
    trained on too, or instead.

    Args:
        dataset: the prepared data set.
        retrieval: the trained retrieval model; it is counted anew.
        run: the run's folder.
        config: the experiment.
        profile: whether a few steps are traced with TensorFlow's profiler.
        parent: a trained model with the same features to go on from.
        observers: are told of every step and every validation.

    Returns:
        The summary, and the quality on the held-out shoppers, with what `fit_new_item_factor`
        returns where it is asked.

    Raises:
        UserError: if there are too few validation shoppers to hold some out.
    """
    tf.keras.utils.set_random_seed(run.seed)
    everyone = dataset.histories("valid")
    histories = drawn_shoppers(everyone, config.ranking.max_shoppers, seed=run.seed)
    held_out = holdout_shoppers(histories, config.ranking.holdout)
    if held_out.all() or not held_out.any():
        raise UserError(
            f"{len(histories)} shoppers in the validation split are too few to train the ranking "
            f"model on some and hold out a share of {config.ranking.holdout}; prepare the data "
            "with more data.valid_days, or change ranking.holdout"
        )
    retrieval.count(dataset.log_before("valid"))
    statistics = LogStatistics.build(dataset, config.ranking.neighbours)
    retriever = Retriever(retrieval)
    precision = training_precision(config.ranking.training)
    ranker = build_ranker(retrieval, statistics, config.ranking, precision)
    spec = _spec(ranker, retrieval) | _feedback_spec(config.ranking.feedback)
    _start_anew_if_changed(run.path, spec | {"lists": CandidateLists.FORMAT})
    # What new items are worth stays as it is when a model is trained on, or the gate of an update
    # would compare two fits.
    pays = parent is None and config.ranking.new_item_price > 0
    make_lists(
        run, dataset, histories, held_out, retriever, ranker, config.ranking, pretending=pays
    )

    def lists(name: str) -> CandidateLists:
        return read_lists(run.path, name, ranker.model.events)

    train = CandidateLists.joined([lists(name) for name in trained_on(config.ranking)])
    holdout = lists(HOLDOUT)
    if parent is None:
        described = train.features[train.present > 0]
        ranker.model.normalise.adapt(described, batch_size=NORMALISE_BATCH)
    else:
        copy_weights(parent, ranker.model)
    validate = RankingValidation(ranker.model, holdout)
    monitor = ranking_monitor(
        run,
        dataset,
        config,
        ranker.model,
        np.flatnonzero(np.isin(everyone.user, histories.user[held_out])),
        holdout,
        validate,
        profile=profile,
    )
    with monitor:
        summary = TrainingLoop(
            ranker.model,
            ranker.model.parts,
            lambda epoch, skip: list_batches(
                train, config.ranking.training.batch_lists, run.seed + epoch
            ).skip(skip),
            validate,
            config.ranking.training,
            run.path,
            "Ranking",
            lambda _: -(-len(train.features) // config.ranking.training.batch_lists),
            [monitor, RunProgress(run), *observers],
        ).run()
        quality = calibrate(ranker.model, holdout)
        # The monitor shows the scores of the last validation, which were those of the last epoch.
        validate.measure()
        if pays:
            price = config.ranking.new_item_price
            quality |= fit_new_item_factor(ranker.model, lists(NEW_ITEMS), price)
        monitor.finished({"valid_ndcg@10": summary.best_score, **quality})
    statistics = LogStatistics.build(dataset, config.ranking.neighbours, before="test")
    save_ranker(ranker, statistics, run.path)
    return summary, quality


def save_ranker(ranker: Ranker, statistics: LogStatistics, folder: Path) -> None:
    """Writes what `load_ranker` reads, beside the description of its features."""
    statistics.save(folder / STATISTICS)
    ranker.features.alike.save(folder / ALIKE)
    tf.train.Checkpoint(**ranker.model.parts).write(str(folder / WEIGHTS))


def _spec(ranker: Ranker, retrieval: RetrievalModel) -> dict[str, Any]:
    return {"features": ranker.features.names, "retrieval": weights_fingerprint(retrieval)}


def _feedback_spec(feedback: RankingFeedbackConfig) -> dict[str, Any]:
    """Returns what tells examples apart; nothing where none are used."""
    if feedback.examples is None:
        return {}
    path = Path(feedback.examples) / EXAMPLES
    # A missing file is named by whoever reads it.
    return {"feedback": sha256_of_file(path) if path.is_file() else None}


def _start_anew_if_changed(folder: Path, spec: dict[str, Any]) -> None:
    """Removes what a killed training left, if it was that of another retrieval model."""
    path = folder / FEATURES
    if path.exists() and read_json(path) != spec:
        for name in (LISTS, "last", "best"):
            shutil.rmtree(folder / name, ignore_errors=True)
    write_json(path, spec)


def build_ranker(
    retrieval: RetrievalModel,
    statistics: LogStatistics,
    config: RankingConfig,
    precision: str = "float32",
    known_alike: AlikeItems | None = None,
) -> Ranker:
    """Returns an untrained ranker over the retrieval model's catalogue.

    Args:
        retrieval: the retrieval model.
        statistics: of the log.
        config: of the ranking model.
        precision: as in `RankingModel`.
        known_alike: as in `CandidateFeatures`.
    """
    spec = retrieval.spec
    features = CandidateFeatures(
        retrieval.catalogue,
        statistics,
        spec.target_event_indices,
        spec.return_event_index,
        known_alike,
    )
    model = RankingModel(
        len(features.names), spec.target_events, spec.return_event, config, precision
    )
    model(tf.zeros([1, 1, len(features.names)]))
    return Ranker(model, features, float(retrieval.temperature))


def load_ranker(folder: Path, retrieval: RetrievalModel, config: RankingConfig) -> Ranker:
    """Builds the trained ranker of a run over the retrieval model's catalogue.

    Raises:
        UserError: if a file of the run is missing or damaged, or the ranking model was trained on
            another retrieval model.
    """
    spec = read_json(folder / FEATURES)
    if spec.get("features") != feature_names(retrieval.catalogue.categories):
        raise UserError(
            f"the ranking model in {folder} reads other features than this version of tfrec "
            "computes; train the ranking model again"
        )
    try:
        statistics = LogStatistics.load(folder / STATISTICS, retrieval.catalogue.num_items)
        alike = AlikeItems.load(folder / ALIKE)
        ranker = build_ranker(retrieval, statistics, config, known_alike=alike)
        status = tf.train.Checkpoint(**ranker.model.parts).read(str(folder / WEIGHTS))
        status.assert_existing_objects_matched().expect_partial()
        # The layer computes with constants that it made of its weights before these were read.
        ranker.model.normalise.finalize_state()
    except LOADING_ERRORS as error:
        raise UserError(
            f"the ranking model in {folder} is damaged; train the ranking model again"
        ) from error
    if spec.get("retrieval") != weights_fingerprint(retrieval):
        raise UserError(
            f"the ranking model in {folder} was trained on another retrieval model than the "
            "run's; train the ranking model again"
        )
    return ranker


def ranker_of_parent(
    parent: RankingModel,
    retrieval: RetrievalModel,
    statistics: LogStatistics,
    config: RankingConfig,
    folder: Path,
) -> None:
    """Leaves a ranking model in a run's folder that has the weights of another one.

    Args:
        parent: the trained model.
        retrieval: the retrieval model of the run, which the features read.
        statistics: those that the ranking model is to know.
        config: the configuration of `parent`.
        folder: the run's folder.
    """
    ranker = build_ranker(retrieval, statistics, config)
    copy_weights(parent, ranker.model)
    write_json(folder / FEATURES, _spec(ranker, retrieval))
    save_ranker(ranker, statistics, folder)


def copy_weights(source: RankingModel, target: RankingModel) -> None:
    """Gives a model the weights of another one with the same features and layers."""
    for name, part in source.parts.items():
        pairs = zip(_variables(part), _variables(target.parts[name]), strict=True)
        for before, variable in pairs:
            variable.assign(before)
    # The layer computes with constants that it made of its weights.
    target.normalise.finalize_state()


def _variables(part: Any) -> list[tf.Variable]:
    return [
        variable
        for piece in tf.nest.flatten(part)
        for variable in ([piece] if isinstance(piece, tf.Variable) else piece.variables)
    ]


def calibrate(model: RankingModel, holdout: CandidateLists) -> dict[str, float]:
    """Fits the heads' Platt scaling on held-out lists, and returns the quality there.

    Returns:
        Per event `auc`, `log_loss` and calibration error; for the return event over bought
        candidates. Events without an example of both classes keep the identity, without figures.
    """
    logits = predict(model, holdout)
    quality: dict[str, float] = {}
    for event in model.events:
        kept = judged(model, holdout, event)
        labels, values = holdout.labels[event][kept], logits[event][kept]
        if labels.min(initial=1.0) == labels.max(initial=0.0) or not len(labels):
            continue
        slope, offset = _platt(values, labels)
        model.calibration[event].assign([slope, offset])
        probabilities = 1.0 / (1.0 + np.exp(-(slope * values + offset)))
        quality[f"auc/{event}"] = auc(labels, probabilities)
        quality[f"log_loss/{event}"] = log_loss(labels, probabilities)
        quality[f"calibration_error/{event}"] = expected_calibration_error(labels, probabilities)
    return quality


def _platt(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Fits `sigmoid(slope * logit + offset)` to labels by maximum likelihood, slope positive."""

    def loss(parameters: np.ndarray) -> float:
        values = np.exp(parameters[0]) * logits + parameters[1]
        return float(np.mean(np.logaddexp(0.0, values) - labels * values))

    found = scipy.optimize.minimize(loss, np.zeros(2), method="Nelder-Mead")
    return float(np.exp(found.x[0])), float(found.x[1])
