"""Masked-language-model pre-training: the BERT guesses hidden tokens of the shop's texts."""

import math
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.config import MaskedConfig
from tfrec.errors import UserError
from tfrec.towers.bert.library import keras_nlp
from tfrec.towers.bert.tokenizer import MASK, SPECIAL_TOKENS, read_vocabulary
from tfrec.towers.bert.tokens import TokenRows
from tfrec.towers.bert.tower import BertTextTower
from tfrec.training.loop import TrainingLoop, TrainingSummary
from tfrec.training.run import RunDirectory
from tfrec.training.run_progress import RunProgress
from tfrec.training.text_monitor import text_monitor

POOL = 16
"""Batches whose texts are sorted by length together, so that little padding is computed."""


class MaskedLanguageModel(tfrs.models.Model):
    """A BERT and the head that guesses tokens, with the BERT's own embeddings as its last layer.

    Devlin et al. (2019), section 3.1; tied embeddings as in Press and Wolf (2017).

    Args:
        tower: the BERT, with policy ``full``.
    """

    def __init__(self, tower: BertTextTower) -> None:
        super().__init__()
        self.tower = tower
        self.head = keras_nlp.layers.MaskedLMHead(
            token_embedding=tower.backbone.token_embedding,
            intermediate_activation=lambda x: tf.nn.gelu(x, approximate=False),
            layer_norm_epsilon=tower.architecture.layer_norm_epsilon,
            name="masked_lm_head",
            dtype="float32",
        )
        self.head(tf.zeros([1, 1, tower.dimension]), tf.zeros([1, 1], tf.int32))

    @property
    def head_variables(self) -> list[tf.Variable]:
        """The trained variables of the head that are not the BERT's."""
        shared = {variable.ref() for variable in self.tower.variables}
        return [each for each in self.head.trainable_variables if each.ref() not in shared]

    def guesses(self, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        """Returns logits `[batch, places, vocabulary]` of a batch of `MaskedBatches`."""
        tower, mask = self.tower, batch["padding_mask"]
        hidden = tower.hidden_below(batch["token_ids"], mask, training)
        hidden = tower.last_hidden(hidden, mask, training)
        return self.head(hidden, batch["mask_positions"])

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns the mean cross-entropy, in nats, of the hidden tokens of a batch."""
        losses = _losses(self.guesses(inputs, training), inputs)
        return tf.math.divide_no_nan(tf.reduce_sum(losses), tf.reduce_sum(inputs["mask_weights"]))

    def judge(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the sum of the losses, the right guesses, and the number of hidden tokens."""
        logits, weights = self.guesses(batch, training=False), batch["mask_weights"]
        guess = tf.argmax(logits, axis=-1, output_type=tf.int32)
        right = tf.cast(guess == batch["mask_ids"], tf.float32) * weights
        losses = _losses(logits, batch)
        return tf.reduce_sum(losses), tf.reduce_sum(right), tf.reduce_sum(weights)


class MaskedBatches:
    """Batches of texts with hidden tokens.

    Args:
        tower: whose tokenizer and vocabulary are used.
        tokens: the texts.
        config: how many tokens are hidden, and how many texts are in a batch.
        seed: of everything random.

    Raises:
        UserError: if the vocabulary has no ``[MASK]``.
    """

    def __init__(
        self, tower: BertTextTower, tokens: TokenRows, config: MaskedConfig, seed: int
    ) -> None:
        pieces = read_vocabulary(tower.tokenizer.vocabulary_path)
        special = [pieces.index(piece) for piece in SPECIAL_TOKENS if piece in pieces]
        if MASK not in pieces:
            raise UserError(
                f"the vocabulary {tower.tokenizer.vocabulary_path} has no {MASK}, which masked "
                "pre-training needs; leave the step `masked` out of text_training.steps"
            )
        self._tokens = tokens
        self._size = config.batch_texts
        self._seed = seed
        self._masker = keras_nlp.layers.MaskedLMMaskGenerator(
            vocabulary_size=len(pieces),
            mask_selection_rate=config.share,
            mask_token_id=pieces.index(MASK),
            unselectable_token_ids=special,
        )

    def count(self, rows: np.ndarray) -> int:
        """Returns the number of batches that some rows make."""
        return -(-len(rows) // self._size)

    def epoch(self, rows: np.ndarray, epoch: int, skip: int = 0) -> Iterator[dict[str, tf.Tensor]]:
        """Yields the batches of an epoch, with other tokens hidden than in any other epoch.

        Args:
            rows: the rows of the texts.
            epoch: its number; a negative one may be used for what is not trained on.
            skip: batches to leave out at the beginning.
        """
        # Each epoch starts its own random numbers, so that one that is resumed is the same.
        random = np.random.default_rng([self._seed, epoch + 1])
        order = random.permutation(rows)
        pool = POOL * self._size
        batches = []
        for start in range(0, len(order), pool):
            some = order[start : start + pool]
            some = some[np.argsort(self._tokens.lengths[some], kind="stable")]
            batches += [some[i : i + self._size] for i in range(0, len(some), self._size)]
        seeds = random.integers(2**31, size=len(batches))
        for number in random.permutation(len(batches))[skip:]:
            tf.random.set_seed(int(seeds[number]))
            yield self._masked(batches[number])

    def _masked(self, rows: np.ndarray) -> dict[str, tf.Tensor]:
        token_ids, mask = self._tokens.padded(rows)
        made = self._masker(tf.RaggedTensor.from_tensor(token_ids, self._tokens.lengths[rows]))
        places = made["mask_positions"]
        return {
            "token_ids": tf.cast(made["token_ids"].to_tensor(), tf.int32),
            "padding_mask": tf.cast(mask, tf.int32),
            "mask_positions": tf.cast(places.to_tensor(), tf.int32),
            "mask_ids": tf.cast(made["mask_ids"].to_tensor(), tf.int32),
            "mask_weights": tf.sequence_mask(places.row_lengths(), dtype=tf.float32),
        }


def train_masked(
    tower: BertTextTower,
    tokens: TokenRows,
    run: RunDirectory,
    config: MaskedConfig,
    holdout: float,
) -> tuple[TrainingSummary, dict[str, float]]:
    """Trains the BERT in place, and goes on where a killed training was.

    Args:
        tower: the BERT, with policy ``full``.
        tokens: the texts of the shop.
        run: the folder of the step.
        config: its settings.
        holdout: share of the texts that decide when to stop.

    Returns:
        How the training went, and ``mlm_loss`` (nats) and ``mlm_accuracy`` on held-out texts
        before and after.
    """
    tf.keras.utils.set_random_seed(run.seed)
    model = MaskedLanguageModel(tower)
    batches = MaskedBatches(tower, tokens, config, run.seed)
    order = np.random.default_rng(run.seed).permutation(len(tokens))
    held_out, rows = np.split(order, [max(1, round(holdout * len(order)))])
    examination = list(batches.epoch(held_out, epoch=-1))
    judge = tf.function(model.judge, reduce_retracing=True)
    figures: list[dict[str, float]] = []

    def validate() -> dict[str, float]:
        loss, right, places = np.sum([[float(x) for x in judge(b)] for b in examination], axis=0)
        figures.append({"mlm_loss": loss / places, "mlm_accuracy": right / places})
        # Higher is better: the geometric mean of the probabilities of the hidden tokens.
        return {"likelihood": math.exp(-loss / places), **figures[-1]}

    monitor = text_monitor(
        run,
        lambda batch: int(tf.reduce_sum(batch["mask_weights"])),
        tensorboard=config.training.tensorboard,
    )
    with monitor:
        summary = TrainingLoop(
            model,
            {"text_encoder": tower, "head": model.head_variables},
            lambda epoch, skip: batches.epoch(rows, epoch, skip),
            validate,
            config.training,
            run.path,
            "Masked texts",
            lambda epoch: batches.count(rows),
            [monitor, RunProgress(run)],
            {"head": config.head_learning_rate},
        ).run()
    validate()
    return summary, figures[-1]


def _losses(logits: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.Tensor:
    """Returns the cross-entropy `[batch, places]`, 0 where there is no hidden token."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["mask_ids"], logits)
    return losses * batch["mask_weights"]
