"""The steps that make a shop's own BERT, each a folder that `text.bert` takes."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrec.config import ExperimentConfig, TextConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.progress import write_line
from tfrec.towers.bert.augmentation import Augmentation
from tfrec.towers.bert.tokens import TokenRows
from tfrec.towers.bert.vectors import utf8
from tfrec.towers.bert.weights import find_weights
from tfrec.towers.bert.writer import write_bert
from tfrec.training.loop import TrainingSummary
from tfrec.training.run import RunDirectory
from tfrec.training.text import (
    TEXT_VECTORS,
    item_text_vectors,
    text_tower,
    text_vectors,
    trained_texts,
)
from tfrec.training.text_contrastive import train_contrastive
from tfrec.training.text_distillation import (
    fragments,
    small_tower,
    texts_per_second,
    train_distilled,
)
from tfrec.training.text_masked import train_masked
from tfrec.training.text_pairs import ItemPairs
from tfrec.training.text_quality import neighbour_overlap, text_recall

BERT = "bert"
Trained = tuple[TrainingSummary, dict[str, float]]


@dataclasses.dataclass(frozen=True)
class TextStep:
    """A step that was done.

    Attributes:
        name: ``start`` for the BERT that it began with, else as in `TextTrainingConfig.steps`.
        bert: the folder of the BERT; None for the installed MiniLM.
        metrics: its figures.
        seconds: time of the training.
    """

    name: str
    bert: str | None
    metrics: dict[str, float]
    seconds: float


def run_text(
    dataset: PreparedDataset,
    out: str | Path,
    config: ExperimentConfig,
    *,
    distil: bool = False,
    seed: int | None = None,
    overwrite: bool = False,
) -> list[TextStep]:
    """Trains the BERT on the texts and the log of a shop, step by step.

    A step that was finished with the same settings is not done again, and one that was stopped
    continues.

    Args:
        dataset: the prepared data set.
        out: the run's folder.
        config: the experiment; `text.bert` is where it starts.
        distil: whether the step `distil` comes last where the configuration has none.
        seed: seed of the training; None for the configuration's.
        overwrite: whether to replace steps that are already in the run.

    Returns:
        The start, and every step.

    Raises:
        UserError: if the run holds steps of other settings and `overwrite` is false.
    """
    if seed is not None:
        config = config.model_copy(update={"seed": seed})
    steps: list[str] = list(config.text_training.steps)
    if distil and "distil" not in steps:
        steps.append("distil")
    done = [TextStep("start", config.text.bert, _quality(dataset, config), 0.0)]
    for name in steps:
        config = _starting_from(config, done[-1].bert)
        done.append(_step(name, dataset, out, config, overwrite))
    return done


def _step(
    name: str, dataset: PreparedDataset, out: str | Path, config: ExperimentConfig, overwrite: bool
) -> TextStep:
    folder, checksum = f"text_{name}", dataset.checksum
    if not overwrite and RunDirectory.is_finished(out, folder, config, checksum):
        run = RunDirectory.open(out, folder)
        write_line(f"{run.path} is finished; it stays as it is")
        return TextStep(name, str(run.path / BERT), run.metrics, run.record["training"]["seconds"])
    run = RunDirectory.create(
        out, folder, config, dataset.path, checksum, config.seed, overwrite=overwrite
    )
    summary, metrics = _STEPS[name](dataset, run, config)
    bert = str(run.path / BERT)
    metrics |= _quality(dataset, _starting_from(config, bert))
    run.finish(metrics, **summary.facts())
    return TextStep(name, bert, metrics, summary.seconds)


def _masked(dataset: PreparedDataset, run: RunDirectory, config: ExperimentConfig) -> Trained:
    settings = config.text_training
    tower = text_tower(find_weights(config.text.bert), config.text, policy="full")
    tokens = TokenRows.of(tower, [utf8(text) for text in _texts(dataset)])
    trained = train_masked(tower, tokens, run, settings.masked, settings.holdout)
    write_bert(tower, run.path / BERT)
    return trained


def _contrastive(dataset: PreparedDataset, run: RunDirectory, config: ExperimentConfig) -> Trained:
    settings = config.text_training.contrastive
    # A pair needs the texts of both of its items.
    text = config.text.model_copy(update={"texts_per_step": 0})
    tf.keras.utils.set_random_seed(run.seed)  # Low-rank updates start at random.
    texts = trained_texts(dataset, text, policy=settings.policy)
    assert texts is not None, "the policies of the step train something"
    pairs = ItemPairs.of(
        dataset.histories("train"),
        dataset.target_event_indices,
        window=settings.window,
        holdout=config.text_training.holdout,
        seed=run.seed,
    )
    trained = train_contrastive(texts, pairs, run, settings)
    write_bert(texts.tower, run.path / BERT)
    return trained


def _distil(dataset: PreparedDataset, run: RunDirectory, config: ExperimentConfig) -> Trained:
    settings = config.text_training.distil
    teacher = text_tower(find_weights(config.text.bert), config.text, policy="frozen")
    texts = list(dict.fromkeys(_texts(dataset)))
    every = texts + fragments(texts, settings.fragments, run.seed)
    tokens = TokenRows.of(teacher, [utf8(text) for text in every])
    vectors = _vectors(every, dataset, config.text)
    tf.keras.utils.set_random_seed(run.seed)  # Its layers start at random.
    tower = small_tower(teacher, tokens, settings)
    summary, metrics = train_distilled(
        tower,
        tokens,
        vectors,
        len(texts),
        run,
        settings,
        config.text_training.holdout,
        Augmentation(config.text.token_dropout, config.text.word_swap),
    )
    # After the training, with the weights that are kept, and side by side.
    metrics["teacher_texts_per_second"] = texts_per_second(teacher, texts)
    metrics["texts_per_second"] = texts_per_second(tower, texts)
    write_bert(tower, run.path / BERT)
    small = _starting_from(config, str(run.path / BERT)).text
    metrics["neighbours@10"] = neighbour_overlap(
        vectors[: len(texts)], _vectors(texts, dataset, small)
    )
    return summary, metrics


# Each leaves its BERT in the folder of the step.
_STEPS = {"masked": _masked, "contrastive": _contrastive, "distil": _distil}


def _quality(dataset: PreparedDataset, config: ExperimentConfig) -> dict[str, float]:
    return text_recall(dataset, item_text_vectors(dataset, config.text), config.evaluation)


def _starting_from(config: ExperimentConfig, bert: str | None) -> ExperimentConfig:
    return config.model_copy(update={"text": config.text.model_copy(update={"bert": bert})})


def _texts(dataset: PreparedDataset) -> list[str]:
    return dataset.items["text"].tolist()


def _vectors(texts: list[str], dataset: PreparedDataset, config: TextConfig) -> np.ndarray:
    return text_vectors(texts, config, dataset.path / TEXT_VECTORS)
