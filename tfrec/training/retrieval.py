"""Trains the retrieval model of a run, and loads it again."""

import dataclasses
import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.config import ExperimentConfig
from tfrec.data.cooccurrence import ItemKNNSettings
from tfrec.data.dataset import PreparedDataset
from tfrec.data.input import InputOptions, count_batches, training_batches
from tfrec.errors import UserError
from tfrec.files import atomic_file, read_json, write_json
from tfrec.models.retrieval import RetrievalModel
from tfrec.monitoring.training.observer import TrainingObserver
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.weights import BertFiles
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.features import ItemFeatures
from tfrec.towers.spec import DataSpec
from tfrec.training.cold_start import fit_cold_start
from tfrec.training.counted_parts import add_counted_parts
from tfrec.training.loop import LAST, TrainingLoop, TrainingSummary
from tfrec.training.precision import training_precision
from tfrec.training.retrieval_monitor import retrieval_monitor
from tfrec.training.retrieval_validation import RetrievalValidation
from tfrec.training.run import RunDirectory
from tfrec.training.run_progress import RunProgress
from tfrec.training.text import (
    TextRefresh,
    item_text_vectors,
    text_learning_rates,
    trainable_text_encoder,
    trained_texts,
)

SPEC = "spec.json"
NEIGHBOURHOOD = "neighbourhood.json"
VECTORS = "text_vectors.npy"
WEIGHTS = "weights"

# What numpy, pydantic and TensorFlow raise for files that are missing, cut short or otherwise odd.
LOADING_ERRORS = (
    OSError,
    EOFError,
    IndexError,
    KeyError,
    ValueError,
    AssertionError,
    zipfile.BadZipFile,
    tf.errors.OpError,
)


def train_retrieval(
    dataset: PreparedDataset,
    run: RunDirectory,
    config: ExperimentConfig,
    *,
    profile: bool = False,
    observers: Sequence[TrainingObserver] = (),
    start: Callable[[RetrievalModel, Callable[[], float]], None] | None = None,
) -> TrainingSummary:
    """Trains the retrieval model and leaves it in the run's folder.

    A run that was killed continues from its last checkpoint.

    Args:
        dataset: the prepared data set.
        run: the run's folder, from `RunDirectory.create`.
        config: the experiment.
        profile: whether a few steps are traced with TensorFlow's profiler.
        observers: are told of every step and every validation.
        start: gives the model its first weights, such as those of another shop's; it is called
            with the model and what tells its validation score.
    """
    vectors = item_text_vectors(dataset, config.text)
    # After the vectors: a BERT that has to be loaded for them draws random numbers, one whose
    # vectors are cached does not, and a training should be the same either way.
    tf.keras.utils.set_random_seed(run.seed)
    features = ItemFeatures.of(dataset, vectors)
    spec = DataSpec.of(dataset, features)
    texts = trained_texts(dataset, config.text)
    model = RetrievalModel(
        Catalogue(features, None if texts is None else texts.tower, texts),
        spec,
        config.retrieval,
        item_frequency(dataset),
        precision=training_precision(config.retrieval.training),
    )
    model.item_tower.adapt(
        vectors,
        features.price[1:],
        {column: table[1:] for column, table in features.vectors.items()},
    )
    model.build_weights()
    options = InputOptions.of(config.retrieval, run.seed)
    score = RetrievalValidation(model, dataset, config.evaluation, run.seed)
    # A training that was stopped goes on with weights of its own.
    if start is not None and tf.train.latest_checkpoint(str(run.path / LAST)) is None:
        start(model, lambda: score()["ndcg@10"])

    def validate() -> dict[str, float]:
        # Training leaves text vectors of weights gone by there, with dropout.
        if texts is not None:
            model.catalogue.set_text(texts.encode_all())
        return score()

    parts = {**model.parts, **model.training_state}
    if texts is not None:
        parts["text_vectors"] = model.catalogue.text
    refresh = TextRefresh(model.catalogue, config.text.refresh_steps)
    monitor = retrieval_monitor(run, dataset, config, model, score, profile=profile)
    with monitor:
        summary = TrainingLoop(
            model,
            parts,
            lambda epoch, skip: training_batches(dataset, options, epoch, skip=skip),
            validate,
            config.retrieval.training,
            run.path,
            "Retrieval",
            lambda epoch: count_batches(dataset, options, epoch),
            [refresh, monitor, RunProgress(run), *observers],
            text_learning_rates(config.text),
        ).run()
        if model.memory is not None or model.trend is not None:
            best_score = add_counted_parts(model, dataset, config.evaluation, score, run.seed)
            summary = dataclasses.replace(summary, best_score=best_score)
        if model.cold_start is not None:
            fit_cold_start(model, dataset, score, run.seed)
            summary = dataclasses.replace(summary, best_score=score()["ndcg@10"])
        monitor.finished({"valid_ndcg@10": summary.best_score})
    # What follows on the training, and is not validated, may know the validation period.
    model.count(dataset.log_before("test"))
    save_retrieval(model, run.path)
    return summary


def save_retrieval(model: RetrievalModel, folder: Path) -> None:
    """Writes what `load_retrieval` reads."""
    with atomic_file(folder / VECTORS) as temporary, temporary.open("wb") as file:
        np.save(file, model.catalogue.text.numpy()[1:])
    write_json(folder / SPEC, model.spec.model_dump())
    if model.memory is not None:
        write_json(folder / NEIGHBOURHOOD, dataclasses.asdict(model.neighbourhood))
    tf.train.Checkpoint(**model.parts).write(str(folder / WEIGHTS))


def load_retrieval(
    folder: Path,
    config: ExperimentConfig,
    items: pd.DataFrame,
    text_vectors: np.ndarray | None = None,
) -> RetrievalModel:
    """Builds the trained model of a run over a catalogue.

    Args:
        folder: the retrieval folder of a finished run.
        config: the run's configuration.
        items: the item table. Its first rows are the items that the model was trained on, in
            their order; further rows are new items.
        text_vectors: float32 `[num_items, text_dimension]`; those of the run by default.

    Raises:
        UserError: if a file of the run is missing or damaged.
    """
    content = read_json(folder / SPEC)
    if text_vectors is None:
        text_vectors = load_text_vectors(folder)
    encoder = trainable_text_encoder(config.text)
    try:
        spec = DataSpec.model_validate(content)
        features = ItemFeatures.build(items, text_vectors, spec.categories, spec.vector_sizes)
        model = RetrievalModel(Catalogue(features, encoder), spec, config.retrieval)
        model.build_weights()
        if model.memory is not None:
            model.neighbourhood = ItemKNNSettings(**read_json(folder / NEIGHBOURHOOD))
        status = tf.train.Checkpoint(**model.parts).read(str(folder / WEIGHTS))
        status.assert_existing_objects_matched().expect_partial()
    except LOADING_ERRORS as error:
        raise UserError(
            f"a file of the retrieval model in {folder} is missing or damaged; train the "
            "retrieval model again"
        ) from error
    return model


def text_tower_of(model: RetrievalModel, bert: BertFiles, max_tokens: int) -> BertTextTower:
    """Returns the BERT that the texts of a model's items were read with.

    Args:
        model: has a BERT of its own if that was trained.
        bert: the files of the frozen one.
        max_tokens: what it reads of a text.
    """
    return model.catalogue.text_encoder or BertTextTower.from_files(bert, max_tokens=max_tokens)


def weights_fingerprint(model: RetrievalModel) -> str:
    """Returns the SHA-256 of the model's weights, without what is counted from the log."""
    digest = hashlib.sha256()
    for _, part in sorted(model.parts.items()):
        counted = {id(variable) for variable in getattr(part, "counted", [])}
        for weight in part.weights:
            if id(weight) not in counted:
                digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def load_text_vectors(folder: Path) -> np.ndarray:
    """Returns the text vectors that the model in `folder` was trained with.

    Raises:
        UserError: if the file is missing or damaged.
    """
    try:
        return np.load(folder / VECTORS)
    except LOADING_ERRORS as error:
        raise UserError(
            f"{folder / VECTORS} is missing or damaged; train the retrieval model again"
        ) from error


def item_frequency(dataset: PreparedDataset) -> np.ndarray:
    """Returns float64 `[num_items + 1]`: each item's share of the training targets."""
    count = dataset.items["train_events"].to_numpy(np.float64)
    return np.concatenate([[0.0], count / max(count.sum(), 1.0)])
