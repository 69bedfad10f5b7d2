"""Masked-language-model pre-training: the BERT guesses hidden tokens of the shop's texts."""

import dataclasses
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
        """Returns logits `[hidden_tokens, vocabulary]` of a batch of `MaskedBatches`."""
        tower, mask = self.tower, batch["padding_mask"]
        hidden = tower.hidden_below(batch["token_ids"], mask, training)
        hidden = tower.last_hidden(hidden, mask, training)
        # As one long text: a product with the vocabulary for every text apart would hold a
        # gradient of the whole embedding table for each of them.
        one = tf.reshape(hidden, [1, -1, tower.dimension])
        return self.head(one, batch["places"][tf.newaxis])[0]

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns the mean cross-entropy, in nats, of the hidden tokens of a batch."""
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            inputs["answers"], self.guesses(inputs, training)
        )
        return tf.math.divide_no_nan(tf.reduce_sum(losses), tf.cast(tf.size(losses), losses.dtype))

    def judge(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the sum of the losses, the right guesses, and the number of hidden tokens."""
        logits, answers = self.guesses(batch, training=False), batch["answers"]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(answers, logits)
        right = tf.argmax(logits, axis=-1, output_type=tf.int32) == answers
        return tf.reduce_sum(losses), tf.math.count_nonzero(right), tf.size(answers)


class MaskedBatches:
    """Batches of texts with hidden tokens.

    A batch holds `token_ids` and `padding_mask` int32 `[batch, length]`, and of its hidden tokens
    the `places`, counted through the batch row by row, and the `answers`, int32 `[hidden_tokens]`.

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
        # Each epoch starts its own random numbers, so that one that is resumed is the same. They
        # are drawn at once: a new seed lets TensorFlow forget every graph that it had prepared.
        random = np.random.default_rng([self._seed, epoch + 1])
        tf.random.set_seed(int(random.integers(2**31)))
        texts = self._masked(random.permutation(rows))
        pool = POOL * self._size
        batches = []
        for start in range(0, len(rows), pool):
            some = np.arange(start, min(start + pool, len(rows)))
            some = some[np.argsort(texts.lengths[some], kind="stable")]
            batches += [some[i : i + self._size] for i in range(0, len(some), self._size)]
        for number in random.permutation(len(batches))[skip:]:
            yield texts.batch(batches[number])

    def _masked(self, rows: np.ndarray) -> "_MaskedTexts":
        index, mask = self._tokens.places(rows)
        lengths = self._tokens.lengths[rows]
        made = self._masker(
            tf.RaggedTensor.from_row_lengths(self._tokens.flat[index[mask]], lengths)
        )
        return _MaskedTexts(
            lengths,
            made["token_ids"].to_tensor().numpy().astype(np.int32),
            made["mask_positions"].to_tensor(default_value=-1).numpy().astype(np.int32),
            made["mask_ids"].to_tensor(default_value=-1).numpy().astype(np.int32),
        )


@dataclasses.dataclass(frozen=True)
class _MaskedTexts:
    """Texts with hidden tokens; all but `lengths` are padded, the last two with -1."""

    lengths: np.ndarray
    token_ids: np.ndarray
    places: np.ndarray
    answers: np.ndarray

    def batch(self, rows: np.ndarray) -> dict[str, tf.Tensor]:
        width = int(self.lengths[rows].max())
        places = self.places[rows]
        hidden = places >= 0
        in_batch = np.arange(len(rows), dtype=np.int32)[:, np.newaxis] * width + places
        return {
            "token_ids": tf.constant(self.token_ids[rows, :width]),
            "padding_mask": tf.sequence_mask(self.lengths[rows], width, tf.int32),
            "places": tf.constant(in_batch[hidden]),
            "answers": tf.constant(self.answers[rows][hidden]),
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

    Raises:
        UserError: if the vocabulary has no ``[MASK]``.
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
        lambda batch: int(tf.size(batch["answers"])),
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
