"""Distillation: a small BERT learns to put texts where a large one puts them."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.config import DistilConfig
from tfrec.towers.bert.architecture import BertArchitecture
from tfrec.towers.bert.augmentation import Augmentation, kinds_of_pieces
from tfrec.towers.bert.encoding import TOKENS_PER_BATCH
from tfrec.towers.bert.tokens import TokenRows, graph_of_rows, token_batches
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.vectors import utf8
from tfrec.training.loop import TrainingLoop, TrainingSummary
from tfrec.training.run import RunDirectory
from tfrec.training.run_progress import RunProgress
from tfrec.training.text_monitor import text_monitor

SPEED_TEXTS = 1000
PASSES = 3


class DistilledTexts(tfrs.models.Model):
    """A small BERT, pulled towards the vectors of a large one.

    The loss is one minus the cosine with the large one's vector in fewer dimensions, and the
    squared error of the cosines between the texts of a batch (Park et al., CVPR 2019, relational
    distillation; in the large one's full dimensions, so that nothing is lost on the way).

    Args:
        tower: the small BERT, with policy ``full``.
        augmentation: how texts are changed.
    """

    def __init__(self, tower: BertTextTower, augmentation: Augmentation) -> None:
        super().__init__()
        self.tower = tower
        self._augmentation = augmentation
        self._kinds = kinds_of_pieces(tower) if augmentation else None

    def loss_parts(
        self, inputs: dict[str, tf.Tensor], training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Returns the terms of the loss.

        Args:
            inputs: `token_ids` int32 and `mask` bool `[batch, length]`, `target` float32
                `[batch, dimension]` and `teacher` float32 `[batch, teacher_dimension]`, both of
                length 1.
            training: whether texts are changed and dropout is on.
        """
        token_ids, mask = inputs["token_ids"], inputs["mask"]
        if training and self._kinds is not None:
            token_ids, mask = self._augmentation.apply(token_ids, mask, self._kinds)
        vectors = self.tower.encode_tokens(token_ids, mask, training)
        cosine = tf.reduce_sum(vectors * inputs["target"], axis=-1)
        teacher = tf.matmul(inputs["teacher"], inputs["teacher"], transpose_b=True)
        relations = tf.matmul(vectors, vectors, transpose_b=True) - teacher
        return {
            "cosine": tf.reduce_mean(1.0 - cosine),
            "relations": tf.reduce_mean(tf.square(relations)),
        }


def small_tower(teacher: BertTextTower, tokens: TokenRows, config: DistilConfig) -> BertTextTower:
    """Returns a small BERT whose embeddings are those of `teacher` in fewer dimensions.

    These dimensions are the ones in which the pieces of the shop's texts differ most.

    Args:
        teacher: the large BERT.
        tokens: the shop's texts.
        config: the size.
    """
    large = teacher.architecture
    tower = BertTextTower(
        BertArchitecture(
            vocabulary_size=large.vocabulary_size,
            num_layers=config.layers,
            num_heads=config.heads,
            hidden_dim=config.width,
            intermediate_dim=4 * config.width,
            max_sequence_length=large.max_sequence_length,
            num_segments=large.num_segments,
            dropout=large.dropout,
            activation=large.activation,
            layer_norm_epsilon=large.layer_norm_epsilon,
        ),
        teacher.tokenizer.vocabulary_path,
        teacher.settings,
        "full",
        max_tokens=teacher.max_tokens,
    )
    words = teacher.backbone.token_embedding.embeddings.numpy()
    used, counts = np.unique(tokens.flat, return_counts=True)
    basis = principal_directions(words[used], config.width, counts)
    for from_layer, to_layer, name in (
        (teacher.backbone.token_embedding, tower.backbone.token_embedding, "embeddings"),
        (teacher.backbone.segment_embedding, tower.backbone.segment_embedding, "embeddings"),
        (
            teacher.backbone.position_embedding,
            tower.backbone.position_embedding,
            "position_embeddings",
        ),
    ):
        getattr(to_layer, name).assign(getattr(from_layer, name).numpy() @ basis)
    return tower


def principal_directions(
    vectors: np.ndarray, count: int, repeats: np.ndarray | None = None
) -> np.ndarray:
    """Returns float32 `[dimension, count]`: directions that keep most of the dot products.

    Columns are orthonormal; where there are fewer dimensions than `count`, the last are zero.

    Args:
        vectors: float `[num_vectors, dimension]`, not centred.
        count: number of directions.
        repeats: `[num_vectors]`, how often each vector counts; `None` for once.
    """
    exact = vectors.astype(np.float64)
    weighted = exact if repeats is None else exact * repeats[:, np.newaxis]
    _, directions = np.linalg.eigh(weighted.T @ exact)
    kept = directions[:, ::-1][:, :count]
    basis = np.zeros((vectors.shape[1], count), np.float32)
    basis[:, : kept.shape[1]] = kept
    return basis


def fragments(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """Returns runs of neighbouring words of the texts: what shoppers type, and new titles.

    Args:
        texts: the texts.
        count: fragments of each text; equal ones are kept once, whole texts not at all.
        seed: which.
    """
    random = np.random.default_rng(seed)
    found: dict[str, None] = {}
    for text in texts:
        words = text.split()
        for _ in range(count if len(words) > 1 else 0):
            length = int(random.integers(1, len(words)))
            start = int(random.integers(len(words) - length + 1))
            found[" ".join(words[start : start + length])] = None
    whole = set(texts)
    return [fragment for fragment in found if fragment not in whole]


def train_distilled(
    tower: BertTextTower,
    tokens: TokenRows,
    teacher: np.ndarray,
    num_texts: int,
    run: RunDirectory,
    config: DistilConfig,
    holdout: float,
    augmentation: Augmentation,
) -> tuple[TrainingSummary, dict[str, float]]:
    """Trains the small BERT in place, and goes on where a killed training was.

    Args:
        tower: the small BERT.
        tokens: the texts of the shop, and then their fragments.
        teacher: float32 `[len(tokens), teacher_dimension]`, the large BERT's vectors of the rows.
        num_texts: how many of the first rows are whole texts, of which some are held out.
        run: the folder of the step.
        config: its settings.
        holdout: share of the whole texts that decide when to stop.
        augmentation: how texts are changed.

    Returns:
        How the training went, and the mean ``cosine`` on held-out texts.
    """
    tf.keras.utils.set_random_seed(run.seed)
    basis = principal_directions(teacher[:num_texts], config.width)
    target = teacher @ basis
    target /= np.maximum(np.linalg.norm(target, axis=1, keepdims=True), 1e-9)
    order = np.random.default_rng(run.seed).permutation(num_texts)
    held_out = order[: max(1, round(holdout * num_texts))]
    rows = np.setdiff1d(np.arange(len(tokens)), held_out)
    model = DistilledTexts(tower, augmentation)
    forward = graph_of_rows(
        lambda token_ids, mask: tower.encode_tokens(token_ids, mask, training=False)
    )

    def batch_of(some: np.ndarray) -> dict[str, tf.Tensor]:
        token_ids, mask = tokens.padded(some)
        return {
            "token_ids": tf.constant(token_ids, tf.int32),
            "mask": tf.constant(mask),
            "target": tf.constant(target[some]),
            "teacher": tf.constant(teacher[some]),
        }

    def batches(epoch: int, skip: int) -> Iterator[dict[str, tf.Tensor]]:
        shuffled = np.random.default_rng([run.seed, epoch]).permutation(rows)
        for start in range(skip * config.batch_texts, len(rows), config.batch_texts):
            yield batch_of(shuffled[start : start + config.batch_texts])

    def validate() -> dict[str, float]:
        vectors = forward(*(tf.constant(part) for part in tokens.padded(held_out)))
        return {"cosine": float(np.mean(np.sum(vectors * target[held_out], axis=1)))}

    monitor = text_monitor(run, _texts_of, tensorboard=config.training.tensorboard)
    with monitor:
        summary = TrainingLoop(
            model,
            {"text_encoder": tower},
            batches,
            validate,
            config.training,
            run.path,
            "Distilled texts",
            lambda epoch: -(-len(rows) // config.batch_texts),
            [monitor, RunProgress(run)],
        ).run()
    return summary, {"cosine": summary.best_score}


def texts_per_second(tower: BertTextTower, texts: Sequence[str]) -> float:
    """Returns how many texts a tower encodes in a second of processor time, at best.

    The tokenizer, which is the same for all, is left out. Processor time means the same on a busy
    machine as on an idle one.
    """
    tokens = TokenRows.of(tower, [utf8(text) for text in texts[:SPEED_TEXTS]])
    batches = [
        tuple(tf.constant(part) for part in tokens.padded(rows))
        for rows in token_batches(tokens.lengths, TOKENS_PER_BATCH)
    ]
    forward = graph_of_rows(
        lambda token_ids, mask: tower.encode_tokens(token_ids, mask, training=False)
    )
    best = 0.0
    for _ in range(PASSES + 1):  # the first one traces the graph
        started = time.process_time()
        for batch in batches:
            forward(*batch).numpy()
        best = max(best, len(tokens) / max(time.process_time() - started, 1e-9))
    return best


def _texts_of(batch: Any) -> int:
    return int(tf.shape(batch["token_ids"])[0])
