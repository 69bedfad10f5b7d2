"""The texts of a catalogue in training: a step encodes few of them, and only what must change."""

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrec.errors import UserError
from tfrec.files import atomic_file
from tfrec.progress import progress
from tfrec.towers.bert.augmentation import Augmentation, kinds_of_pieces
from tfrec.towers.bert.encoding import TOKENS_PER_BATCH
from tfrec.towers.bert.tokens import TokenRows, graph_of_rows, token_batches
from tfrec.towers.bert.tower import BertTextTower

PIECES = 4
"""Parts of about equal length that the texts of a step are cut into."""


@dataclasses.dataclass(frozen=True)
class TextCost:
    """What keeps the encoding of texts in training affordable.

    Attributes:
        texts_per_step: most items whose texts a step encodes, drawn at random; 0 for all.
        activations: whether outputs of the layers below the lowest trained one are kept.
        augmentation: how texts are changed; a changed text has no kept outputs.
    """

    texts_per_step: int = 0
    activations: bool = True
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)

    def keeps_activations(self, tower: BertTextTower) -> bool:
        """Whether outputs of layers of `tower` are kept."""
        return self.activations and not self.augmentation and tower.policy != "full"


class TrainedTexts(tf.Module):
    """The texts of all items, and the BERT that training moves.

    A step encodes each distinct text of the items asked for once, or of a random part of these;
    it starts from kept outputs of the layers that do not train, and computes little padding, as
    texts of about equal length go together.

    Args:
        tower: the BERT, with its policy.
        tokens: the texts; text `i` is that of item `i + 1`.
        cost: what a step encodes.
        activations: float32 `[num_tokens, dimension]`, from `frozen_activations`; None computes
            them where `cost` wants any.
    """

    def __init__(
        self,
        tower: BertTextTower,
        tokens: TokenRows,
        cost: TextCost | None = None,
        activations: np.ndarray | None = None,
    ) -> None:
        super().__init__(name="trained_texts")
        self.tower = tower
        self.tokens = tokens
        self.cost = cost or TextCost()
        keeps = self.cost.keeps_activations(tower)
        if keeps and activations is None:
            activations = frozen_activations(tower, tokens)
        self._kept = (
            tf.Variable(activations, trainable=False, name="activations") if keeps else None
        )
        # Item 0 is none; its row is never asked for.
        self._row_of_item = tf.constant(np.concatenate([[0], tokens.row_of_text]), tf.int32)
        self._flat = tf.constant(tokens.flat)
        self._lengths = tf.constant(tokens.lengths)
        self._offsets = tf.constant(tokens.offsets, tf.int32)
        self._kinds = kinds_of_pieces(tower) if self.cost.augmentation else None
        self._forward = graph_of_rows(
            lambda index, mask: self._vectors(index, mask, training=False)
        )

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The variables that the policy trains, and no others.

        `tf.Module` would list every variable of the tower, as Keras marks a frozen layer, not its
        variables.
        """
        return tuple(self.tower.trainable_variables)

    def encode(self, items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Encodes the texts of items with gradients.

        Args:
            items: int, any shape, with any duplicates; 0 is no item.

        Returns:
            The distinct items that were encoded `[count]`, and their vectors
            `[count, dimension]`.
        """
        items, _ = tf.unique(tf.reshape(items, [-1]))
        items = tf.boolean_mask(items, items > 0)
        if self.cost.texts_per_step:
            items = tf.random.shuffle(items)[: self.cost.texts_per_step]
        rows, place = tf.unique(tf.gather(self._row_of_item, items))
        order = tf.argsort(tf.gather(self._lengths, rows), direction="DESCENDING", stable=True)
        ordered, count = tf.gather(rows, order), tf.size(rows)
        bounds = [count * piece // PIECES for piece in range(PIECES + 1)]
        vectors = tf.concat(
            [self._encode_rows(ordered[start:end]) for start, end in itertools.pairwise(bounds)],
            axis=0,
        )
        return items, tf.gather(vectors, tf.gather(tf.math.invert_permutation(order), place))

    def encode_all(self) -> np.ndarray:
        """Returns float32 `[num_items, dimension]`: all items' vectors as they are, unchanged."""
        vectors = np.zeros((len(self.tokens), self.tower.dimension), np.float32)
        for rows in token_batches(self.tokens.lengths, TOKENS_PER_BATCH):
            index, mask = self.tokens.places(rows)
            vectors[rows] = self._forward(index.astype(np.int32), mask).numpy()
        return vectors[self.tokens.row_of_text]

    def _encode_rows(self, rows: tf.Tensor) -> tf.Tensor:
        lengths = tf.gather(self._lengths, rows)
        # A part without texts has a width all the same.
        mask = tf.sequence_mask(lengths, tf.maximum(tf.reduce_max(lengths), 1))
        index = tf.gather(self._offsets, rows)[:, tf.newaxis] + tf.range(tf.shape(mask)[1])
        return self._vectors(tf.where(mask, index, 0), mask, training=True)

    def _vectors(self, index: tf.Tensor, mask: tf.Tensor, training: bool) -> tf.Tensor:
        if self._kept is not None:
            return self.tower.encode_hidden(tf.gather(self._kept, index), mask, training)
        token_ids = tf.where(mask, tf.gather(self._flat, index), 0)
        if training and self._kinds is not None:
            token_ids, mask = self.cost.augmentation.apply(token_ids, mask, self._kinds)
        return self.tower.encode_tokens(token_ids, mask, training)


def frozen_activations(tower: BertTextTower, tokens: TokenRows) -> np.ndarray:
    """Returns float32 `[num_tokens, dimension]`: `hidden_below` of every token of all texts."""
    forward = graph_of_rows(
        lambda token_ids, mask: tower.hidden_below(token_ids, tf.cast(mask, tf.int32))
    )
    kept = np.zeros((len(tokens.flat), tower.dimension), np.float32)
    with progress(
        total=len(tokens.flat), description="Running the frozen layers", unit="token"
    ) as bar:
        for rows in token_batches(tokens.lengths, TOKENS_PER_BATCH):
            index, mask = tokens.places(rows)
            kept[index[mask]] = forward(*tokens.padded(rows)).numpy()[mask]
            bar.update(int(mask.sum()))
    return kept


def stored_activations(path: Path, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """Returns the array in the file `path`, which is computed and written where it is not there.

    Args:
        path: a ``.npy`` file, named after everything that its content depends on.
        compute: returns the array.

    Raises:
        UserError: if the file may not be read or written.
    """
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        pass
    except PermissionError as error:
        raise UserError(f"not allowed to read {path}; choose another text.cache_dir") from error
    except (OSError, ValueError, EOFError):
        # Half-copied, by whatever copied it; what it held can be computed again.
        path.unlink(missing_ok=True)
    computed = compute()
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, computed)
    return computed
