"""Trains the ranking model of a run on the candidates of its retrieval model, and loads it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
import tensorflow as tf

from tfrec.config import ExperimentConfig, RankingConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.log_statistics import LogStatistics
from tfrec.data.records import Histories
from tfrec.errors import UserError
from tfrec.evaluation.probabilities import auc, expected_calibration_error, log_loss
from tfrec.files import atomic_folder, read_json, write_json
from tfrec.models.ranking import RankingModel
from tfrec.models.ranking_features import CandidateFeatures
from tfrec.models.recommender import Ranker, Retriever
from tfrec.models.retrieval import RetrievalModel
from tfrec.progress import progress
from tfrec.towers.histories import pad_histories
from tfrec.training.loop import TrainingLoop, TrainingSummary
from tfrec.training.precision import training_precision
from tfrec.training.retrieval import LOADING_ERRORS, weights_fingerprint
from tfrec.training.run import RunDirectory

STATISTICS = "statistics.npz"
LISTS = "lists"
WEIGHTS = "weights"
FEATURES = "features.json"
SHOPPERS_A_BATCH = 256
NORMALISE_BATCH = 65_536
NDCG_CUTOFF = 10


@dataclass(frozen=True)
class CandidateLists:
    """Candidates with features and labels, one list a shopper and mode.

    Attributes:
        features: float32 `[lists, num_candidates, num_features]`.
        present: float32 `[lists, num_candidates]`, 0 for padding.
        retrieved: float32 `[lists, num_candidates]`, 0 for the popularity-sampled negatives.
        labels: float32 `[lists, num_candidates]` an event type.
        targets: int64 `[lists]`, number of the shopper's targets, retrieved or not.
    """

    features: np.ndarray
    present: np.ndarray
    retrieved: np.ndarray
    labels: dict[str, np.ndarray]
    targets: np.ndarray

    def save(self, folder: Path) -> None:
        """Writes the arrays into `folder`, atomically."""
        with atomic_folder(folder) as temporary:
            for name, values in self._arrays().items():
                np.save(temporary / f"{name}.npy", values)

    @classmethod
    def load(cls, folder: Path, events: list[str]) -> "CandidateLists":
        """Reads what `save` wrote."""
        return cls(
            features=np.load(folder / "features.npy"),
            present=np.load(folder / "present.npy"),
            retrieved=np.load(folder / "retrieved.npy"),
            labels={event: np.load(folder / f"label-{event}.npy") for event in events},
            targets=np.load(folder / "targets.npy"),
        )

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {
            "features": self.features,
            "present": self.present,
            "retrieved": self.retrieved,
            "targets": self.targets,
        }
        return arrays | {f"label-{event}": values for event, values in self.labels.items()}


def holdout_shoppers(histories: Histories, share: float) -> np.ndarray:
    """Returns bool `[shoppers]`: the validation shoppers that the ranking model never trains on.

    A shopper's hash decides, so the choice is the same for every run on the data.
    """
    numbers = np.array([int(user[:8], 16) for user in histories.user], dtype=np.float64)
    return numbers / 2**32 < share


def drawn_shoppers(histories: Histories, most: int, *, seed: int) -> Histories:
    """Returns at most so many shoppers, drawn at random, in their order."""
    if len(histories) <= most:
        return histories
    drawn = np.random.default_rng(seed).permutation(len(histories))[:most]
    return histories.select(np.sort(drawn))


def train_ranking(
    dataset: PreparedDataset,
    retrieval: RetrievalModel,
    run: RunDirectory,
    config: ExperimentConfig,
) -> tuple[TrainingSummary, dict[str, float]]:
    """Trains the ranking model and leaves it in the run's folder.

    The lists are the retrieval model's own candidates for the shoppers of the validation period,
    whose events the retrieval model has not seen, so that its scores are as good there as they
    will be on new events. A share of those shoppers is held out for early stopping and for the
    calibration. Of very many shoppers some are drawn, as their lists stay in memory.

    Args:
        dataset: the prepared data set.
        retrieval: the trained retrieval model.
        run: the run's folder.
        config: the experiment.

    Returns:
        The summary, and the quality on the held-out shoppers.

    Raises:
        UserError: if there are too few validation shoppers to hold some out.
    """
    tf.keras.utils.set_random_seed(run.seed)
    histories = drawn_shoppers(
        dataset.histories("valid"), config.ranking.max_shoppers, seed=run.seed
    )
    held_out = holdout_shoppers(histories, config.ranking.holdout)
    if held_out.all() or not held_out.any():
        raise UserError(
            f"{len(histories)} shoppers in the validation split are too few to train the ranking "
            f"model on some and hold out a share of {config.ranking.holdout}; prepare the data "
            "with more data.valid_days, or change ranking.holdout"
        )
    statistics = LogStatistics.build(dataset, config.ranking.neighbours)
    statistics.save(run.path / STATISTICS)
    retriever = Retriever(retrieval)
    precision = training_precision(config.ranking.training)
    ranker = build_ranker(retrieval, statistics, config.ranking, precision)
    _start_anew_if_changed(run.path, _spec(ranker, retrieval))
    lists = {}
    for name, chosen in (("train", ~held_out), ("holdout", held_out)):
        folder = run.path / LISTS / name
        if not folder.exists():
            make_lists(
                dataset,
                histories.select(np.flatnonzero(chosen)),
                retriever,
                ranker,
                config.ranking,
                seed=run.seed,
                negatives=config.ranking.popularity_negatives if name == "train" else 0,
            ).save(folder)
        lists[name] = CandidateLists.load(folder, ranker.model.events)
    train, holdout = lists["train"], lists["holdout"]
    ranker.model.normalise.adapt(train.features[train.present > 0], batch_size=NORMALISE_BATCH)
    loop = TrainingLoop(
        ranker.model,
        ranker.model.parts,
        lambda epoch, skip: list_batches(
            train, config.ranking.training.batch_lists, run.seed + epoch
        ).skip(skip),
        _validation(ranker.model, holdout),
        config.ranking.training,
        run.path,
        "Ranking",
        lambda _: -(-len(train.features) // config.ranking.training.batch_lists),
    )
    summary = loop.run()
    quality = calibrate(ranker.model, holdout)
    tf.train.Checkpoint(**ranker.model.parts).write(str(run.path / WEIGHTS))
    return summary, quality


def _spec(ranker: Ranker, retrieval: RetrievalModel) -> dict[str, Any]:
    return {"features": ranker.features.names, "retrieval": weights_fingerprint(retrieval)}


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
) -> Ranker:
    """Returns an untrained ranker over the retrieval model's catalogue."""
    spec = retrieval.spec
    features = CandidateFeatures(
        retrieval.catalogue, statistics, spec.target_event_indices, spec.return_event_index
    )
    model = RankingModel(
        len(features.names), spec.target_events, spec.return_event, config, precision
    )
    model(tf.zeros([1, 1, len(features.names)]))
    return Ranker(model, features, retrieval.config.temperature)


def load_ranker(folder: Path, retrieval: RetrievalModel, config: RankingConfig) -> Ranker:
    """Builds the trained ranker of a run over the retrieval model's catalogue.

    Raises:
        UserError: if a file of the run is missing or damaged, or the ranking model was trained on
            another retrieval model.
    """
    spec = read_json(folder / FEATURES)
    try:
        statistics = LogStatistics.load(folder / STATISTICS, retrieval.catalogue.num_items)
        ranker = build_ranker(retrieval, statistics, config)
        status = tf.train.Checkpoint(**ranker.model.parts).read(str(folder / WEIGHTS))
        status.assert_existing_objects_matched().expect_partial()
        # The layer computes with constants that it made of its weights before these were read.
        ranker.model.normalise.finalize_state()
    except LOADING_ERRORS as error:
        raise UserError(
            f"the ranking model in {folder} is damaged; train the ranking model again"
        ) from error
    if spec != _spec(ranker, retrieval):
        raise UserError(
            f"the ranking model in {folder} was trained on another retrieval model than the "
            "run's; train the ranking model again"
        )
    return ranker


def make_lists(
    dataset: PreparedDataset,
    histories: Histories,
    retriever: Retriever,
    ranker: Ranker,
    config: RankingConfig,
    *,
    seed: int,
    negatives: int,
) -> CandidateLists:
    """Retrieves candidates for shoppers, describes them, and labels them with what came.

    Args:
        dataset: the prepared data set.
        histories: shoppers with targets.
        retriever: the first stage.
        ranker: describes the candidates.
        config: how many candidates, and in which modes.
        seed: seed of the popularity-sampled negatives.
        negatives: how many of those a list.
    """
    modes = ["count", "exclude"] if config.repeats == "both" else [config.repeats]
    random = np.random.default_rng(seed)
    popularity = np.concatenate([[0.0], dataset.items["train_events"].to_numpy(np.float64) ** 0.75])
    popularity /= popularity.sum()
    depth = min(config.candidates, dataset.num_items)
    longest = max(retriever.model.config.max_history, config.max_history)
    scores_of = tf.function(retriever.scores, reduce_retracing=True)
    describe = tf.function(ranker.describe, reduce_retracing=True)
    parts: list[CandidateLists] = []
    starts = range(0, len(histories), SHOPPERS_A_BATCH)
    for start in progress(list(starts), description="Candidate lists", unit="batch"):
        batch = histories.select(np.arange(start, min(start + SHOPPERS_A_BATCH, len(histories))))
        history = pad_histories(batch, longest)
        scores = scores_of(history)
        for mode in modes:
            visible = scores.numpy().copy()
            visible[:, 0] = -np.inf
            if mode == "exclude":
                shopper = np.repeat(np.arange(len(batch)), batch.lengths)
                visible[shopper, batch.item] = -np.inf
            top = np.argpartition(-visible, depth - 1, axis=1)[:, :depth]
            top = np.where(np.isfinite(np.take_along_axis(visible, top, 1)), top, 0)
            extra = random.choice(len(popularity), size=(len(batch), negatives), p=popularity)
            extra[np.isneginf(np.take_along_axis(visible, extra, 1))] = 0
            # A drawn item that is a candidate already, or was drawn before, would count twice.
            extra[(extra[:, :, None] == top[:, None, :]).any(axis=2)] = 0
            extra.sort(axis=1)
            extra[:, 1:][extra[:, 1:] == extra[:, :-1]] = 0
            candidates = np.concatenate([top, extra], axis=1).astype(np.int64)
            labels, targets = _labels(batch, candidates, ranker.model.events, dataset, mode)
            retrieved = np.zeros(candidates.shape, np.float32)
            retrieved[:, :depth] = top > 0
            parts.append(
                CandidateLists(
                    describe(history, tf.constant(candidates), scores).numpy(),
                    (candidates > 0).astype(np.float32),
                    retrieved,
                    labels,
                    targets,
                )
            )
    return CandidateLists(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.present for part in parts]),
        np.concatenate([part.retrieved for part in parts]),
        {
            event: np.concatenate([part.labels[event] for part in parts])
            for event in ranker.model.events
        },
        np.concatenate([part.targets for part in parts]),
    )


def _labels(
    batch: Histories,
    candidates: np.ndarray,
    events: list[str],
    dataset: PreparedDataset,
    mode: str,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    labels = {event: np.zeros(candidates.shape, np.float32) for event in events}
    targets = np.zeros(len(batch), np.int64)
    for row in range(len(batch)):
        place = batch.targets(row)
        items, kinds = batch.target_item[place], batch.target_event[place]
        wanted = items[np.isin(kinds, dataset.target_event_indices)]
        if mode == "exclude":
            wanted = np.setdiff1d(wanted, batch.item[batch.history(row)])
        targets[row] = len(np.unique(wanted))
        for event in events:
            happened = items[kinds == dataset.event_types.index(event) + 1]
            labels[event][row] = np.isin(candidates[row], happened) & (candidates[row] > 0)
    return labels, targets


def list_batches(lists: CandidateLists, batch_lists: int, seed: int) -> tf.data.Dataset:
    """Returns shuffled batches for `RankingModel.compute_loss`."""
    tensors = {"features": lists.features, "present": lists.present}
    tensors |= {f"label/{event}": values for event, values in lists.labels.items()}
    # Eager tensors are captured by reference; from_tensor_slices would copy them into the graph.
    eager = {name: tf.constant(values) for name, values in tensors.items()}
    order = np.random.default_rng(seed).permutation(len(lists.features))
    return (
        tf.data.Dataset.from_tensor_slices(order)
        .batch(batch_lists)
        .map(
            lambda rows: {name: tf.gather(values, rows) for name, values in eager.items()},
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        .prefetch(tf.data.AUTOTUNE)
    )


def calibrate(model: RankingModel, holdout: CandidateLists) -> dict[str, float]:
    """Fits the heads' Platt scaling on held-out lists, and returns the quality there.

    Returns:
        Per event `auc`, `log_loss` and calibration error; for the return event over bought
        candidates. Events without an example of both classes keep the identity, without figures.
    """
    logits = _predict(model, holdout)
    bought = np.max([holdout.labels[event] for event in model.target_events], axis=0)
    quality: dict[str, float] = {}
    for event in model.events:
        weight = holdout.retrieved * (bought if event == model.return_event else 1.0)
        labels = holdout.labels[event][weight > 0]
        values = logits[event][weight > 0]
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


def _predict(model: RankingModel, lists: CandidateLists) -> dict[str, np.ndarray]:
    batches = [
        model(tf.constant(lists.features[start : start + 512]))
        for start in range(0, len(lists.features), 512)
    ]
    return {
        event: np.concatenate([batch[event].numpy() for batch in batches]) for event in model.events
    }


def _validation(model: RankingModel, holdout: CandidateLists) -> Callable[[], dict[str, float]]:
    """Returns a function that gives NDCG@10 of the final score on the held-out lists.

    A purchase that was sent back is worth what the return penalty leaves of it, as in the score:
    where much is returned, the best model would else be one that knows nothing of returns.
    """
    gain = np.max([holdout.labels[event] for event in model.target_events], axis=0)
    if model.return_event:
        gain = gain * (1.0 - model.config.return_penalty * holdout.labels[model.return_event])

    kept = holdout.targets > 0
    if not kept.any():
        raise UserError(
            "none of the held-out shoppers has a target to rank for with "
            f"ranking.repeats: {model.config.repeats}; set ranking.repeats to count, or prepare "
            "the data with more data.valid_days"
        )

    def validate() -> dict[str, float]:
        logits = {event: tf.constant(values) for event, values in _predict(model, holdout).items()}
        values = model.scores(model.probabilities(logits)).numpy()
        values = np.where(holdout.present > 0, values, -np.inf)
        order = np.argsort(-values, axis=1, kind="stable")[:, :NDCG_CUTOFF]
        discount = 1.0 / np.log2(np.arange(NDCG_CUTOFF) + 2.0)
        gained = np.take_along_axis(gain, order, axis=1) @ discount[: order.shape[1]]
        ideal = np.concatenate([[0.0], np.cumsum(discount)])
        best = ideal[np.minimum(holdout.targets[kept], NDCG_CUTOFF)]
        return {"ndcg@10": float(np.mean(gained[kept] / best))}

    return validate
