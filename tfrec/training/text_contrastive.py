"""Contrastive fine-tuning: texts of items that shoppers buy together come nearer to each other."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.config import ContrastiveConfig
from tfrec.errors import UserError
from tfrec.towers.bert.trained_texts import TrainedTexts
from tfrec.training.loop import TrainingLoop, TrainingSummary
from tfrec.training.run import RunDirectory
from tfrec.training.run_progress import RunProgress
from tfrec.training.text_monitor import text_monitor
from tfrec.training.text_pairs import ItemPairs
from tfrec.training.text_quality import NEIGHBOURS, pair_recall

_NEVER = -1e9
"""Logit of what is no negative example."""


class ContrastiveTexts(tfrs.models.Model):
    """Symmetric InfoNCE over the text vectors of pairs of items.

    Each item of a pair should recognise the other among those of the batch (van den Oord et al.,
    2018, equation 4; in both directions as in Radford et al., ICML 2021). An item that stands in a
    batch twice is no negative example of itself.

    Args:
        texts: the texts of all items and the BERT that trains.
        temperature: of the cosines.
    """

    def __init__(self, texts: TrainedTexts, temperature: float) -> None:
        super().__init__()
        self.texts = texts
        self._temperature = temperature

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns the mean loss of the pairs `left` and `right`, int32 `[batch]`, in nats."""
        left, right = inputs["left"], inputs["right"]
        # Each distinct text is encoded once, however many pairs it is in.
        _, place = tf.unique(tf.concat([left, right], axis=0))
        _, distinct = self.texts.encode(tf.concat([left, right], axis=0))
        vectors = tf.gather(distinct, place)
        first, second = tf.split(vectors, 2)
        cosines = tf.matmul(first, second, transpose_b=True)
        forward = info_nce(cosines / self._temperature, left, right)
        backward = info_nce(tf.transpose(cosines) / self._temperature, right, left)
        return tf.reduce_mean(forward + backward) / 2.0


def info_nce(logits: tf.Tensor, asking: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
    """Returns the loss of every row, whose right answer is on the diagonal: float32 `[batch]`.

    Args:
        logits: float32 `[batch, batch]`.
        asking: int `[batch]`, the items of the rows.
        answers: int `[batch]`, the items of the columns.
    """
    same = tf.logical_or(
        answers[tf.newaxis] == answers[:, tf.newaxis], answers[tf.newaxis] == asking[:, tf.newaxis]
    )
    own = tf.eye(tf.shape(asking)[0], dtype=tf.bool)
    logits = tf.where(tf.logical_and(same, tf.logical_not(own)), _NEVER, logits)
    labels = tf.range(tf.shape(asking)[0])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def pair_batches(
    pairs: np.ndarray, config: ContrastiveConfig, seed: int, epoch: int, skip: int = 0
) -> Iterator[dict[str, tf.Tensor]]:
    """Yields the batches of an epoch: pairs drawn without replacement, the last ones left out.

    Args:
        pairs: int32 `[num_pairs, 2]`.
        config: sizes.
        seed: of the draws, which differ between epochs.
        epoch: its number.
        skip: batches to leave out at the beginning.
    """
    random = np.random.default_rng([seed, epoch])
    drawn = pairs[random.permutation(len(pairs))[: config.pairs_per_epoch]]
    for number in range(skip, batches_in(pairs, config)):
        batch = drawn[number * config.batch_pairs : (number + 1) * config.batch_pairs]
        yield {"left": tf.constant(batch[:, 0]), "right": tf.constant(batch[:, 1])}


def batches_in(pairs: np.ndarray, config: ContrastiveConfig) -> int:
    """Returns the number of batches of an epoch: all are whole, but a single one need not be."""
    return max(min(len(pairs), config.pairs_per_epoch) // config.batch_pairs, min(len(pairs), 1))


def train_contrastive(
    texts: TrainedTexts, pairs: ItemPairs, run: RunDirectory, config: ContrastiveConfig
) -> tuple[TrainingSummary, dict[str, float]]:
    """Trains the BERT of `texts` in place, and goes on where a killed training was.

    Args:
        texts: the texts of all items and the BERT that trains.
        pairs: pairs of items.
        run: the folder of the step.
        config: its settings.

    Returns:
        How the training went, and ``pair_recall@20`` on held-out shoppers.

    Raises:
        UserError: if there are too few pairs.
    """
    if len(pairs.train) < 2 or not len(pairs.held_out):
        raise UserError(
            "the training split holds too few pairs of consecutive items for contrastive "
            "fine-tuning; leave the step `contrastive` out of text_training.steps"
        )
    tf.keras.utils.set_random_seed(run.seed)
    model = ContrastiveTexts(texts, config.temperature)
    name = f"pair_recall@{NEIGHBOURS}"

    def validate() -> dict[str, float]:
        return {name: pair_recall(texts.encode_all(), pairs.held_out)}

    monitor = text_monitor(run, _pairs_of, tensorboard=config.training.tensorboard)
    with monitor:
        summary = TrainingLoop(
            model,
            {"text_encoder": texts.tower},
            lambda epoch, skip: pair_batches(pairs.train, config, run.seed, epoch, skip),
            validate,
            config.training,
            run.path,
            "Contrastive texts",
            lambda epoch: batches_in(pairs.train, config),
            [monitor, RunProgress(run)],
        ).run()
    return summary, {name: summary.best_score}


def _pairs_of(batch: Any) -> int:
    return int(tf.size(batch["left"]))
