"""The text tower: BERT, mean pooling, unit vectors."""

import dataclasses
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfrec.errors import UserError
from tfrec.towers.bert.architecture import BertArchitecture
from tfrec.towers.bert.importer import load_weights
from tfrec.towers.bert.policies import PARTIAL, POLICIES, Policy, apply_policy
from tfrec.towers.bert.tokenizer import BertTokenizer, TokenizerSettings, Tokens
from tfrec.towers.bert.weights import BertFiles


@tf.keras.utils.register_keras_serializable("tfrec")
class BertTextTower(tf.keras.layers.Layer):
    """Reads texts with a BERT: the mean of the last layer's token vectors, scaled to length 1.

    Mean pooling over the tokens, ``[CLS]`` and ``[SEP]`` included, and L2 normalisation are
    those of Sentence-BERT (Reimers and Gurevych, 2019), with which MiniLM was trained.

    Args:
        architecture: shape of the encoder.
        vocabulary: path of its ``vocab.txt``.
        settings: how the vocabulary expects text to be prepared.
        policy: which variables train: ``frozen`` none, ``top-n`` those of the last `top_n`
            encoder layers, ``lora`` low-rank updates of these layers' queries and values,
            ``adapter`` bottlenecks behind their feed-forward blocks, ``full`` all. The pooler,
            which nothing reads, never does.
        top_n: number of layers, from the last, that these policies train something in.
        max_tokens: longest token row, ``[CLS]`` and ``[SEP]`` included; longer texts are cut.
        lora_rank: rank of the updates of ``lora``.
        adapter_units: width of the bottlenecks of ``adapter``.

    Raises:
        UserError: if the vocabulary cannot be used, or `max_tokens` or `top_n` exceed what the
            BERT has.

    Example:
    ```python
    tower = BertTextTower.from_files(find_weights())
    vectors = tower(tf.constant(["red cotton dress", "usb cable"]))  # float32 [2, 384]
    ```
    """

    def __init__(
        self,
        architecture: BertArchitecture,
        vocabulary: str | Path,
        settings: TokenizerSettings,
        policy: Policy = "frozen",
        top_n: int = 2,
        max_tokens: int = 128,
        lora_rank: int = 8,
        adapter_units: int = 32,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if policy not in POLICIES:
            raise ValueError(f"`policy` should be one of {POLICIES}. Received: policy={policy}")
        if top_n < 1:
            raise ValueError(f"`top_n` should be a positive integer. Received: top_n={top_n}")
        if policy in PARTIAL and top_n > architecture.num_layers:
            raise UserError(
                f"text.top_n is {top_n}, but the BERT has {architecture.num_layers} layers; "
                f"set text.top_n to at most {architecture.num_layers}, or text.policy to full"
            )
        if max_tokens > architecture.max_sequence_length:
            raise UserError(
                f"text.max_tokens is {max_tokens}, but the BERT reads at most "
                f"{architecture.max_sequence_length} tokens; lower text.max_tokens"
            )
        self.architecture = architecture
        self.settings = settings
        self.policy: Policy = policy
        self.top_n = top_n
        self.max_tokens = max_tokens
        self.lora_rank = lora_rank
        self.adapter_units = adapter_units
        self.tokenizer = BertTokenizer(vocabulary, settings, max_tokens)
        if self.tokenizer.vocabulary_size > architecture.vocabulary_size:
            raise UserError(
                f"the vocabulary {vocabulary} has {self.tokenizer.vocabulary_size} tokens, but the "
                f"config.json beside it says {architecture.vocabulary_size}; take both from the "
                "same BERT"
            )
        self.backbone = architecture.build(self.dtype_policy)
        apply_policy(self.backbone, policy, top_n, lora_rank, adapter_units)

    @classmethod
    def from_files(
        cls,
        files: BertFiles,
        policy: Policy = "frozen",
        top_n: int = 2,
        max_tokens: int = 128,
        **kwargs: Any,
    ) -> "BertTextTower":
        """Builds the tower of a BERT on disk, with its weights; see the class for arguments.

        Raises:
            UserError: if the files do not make a BERT (see `load_weights`).
        """
        tower = cls(
            architecture=BertArchitecture.from_hugging_face(files.config),
            vocabulary=files.vocabulary,
            settings=TokenizerSettings.of(files),
            policy=policy,
            top_n=top_n,
            max_tokens=max_tokens,
            **kwargs,
        )
        load_weights(tower.backbone, files.weights)
        return tower

    @property
    def dimension(self) -> int:
        """Length of a text vector."""
        return self.architecture.hidden_dim

    @property
    def frozen_layers(self) -> int:
        """Number of encoder layers below the lowest one that trains."""
        if self.policy in PARTIAL:
            return self.architecture.num_layers - self.top_n
        return self.architecture.num_layers if self.policy == "frozen" else 0

    def call(self, texts: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Encodes texts.

        Args:
            texts: string [batch].
            training: whether dropout is active; a frozen tower never uses it, so that its
                vectors are those of the cache.

        Returns:
            float32 [batch, dimension], each row of length 1.
        """
        token_ids, padding_mask = self.tokenizer(texts)
        return self.encode_tokens(token_ids, padding_mask, training=training)

    def tokenize(self, texts: tf.Tensor) -> Tokens:
        """Returns the padded token ids and mask that `encode_tokens` takes."""
        return self.tokenizer(texts)

    def encode_tokens(
        self, token_ids: tf.Tensor, padding_mask: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Encodes texts that are already tokenized.

        Args:
            token_ids: int32 [batch, length], length <= `max_tokens`.
            padding_mask: bool or int [batch, length]; true where there is a token.
            training: as in `call`.

        Returns:
            float32 [batch, dimension], each row of length 1.
        """
        padding_mask = tf.cast(padding_mask, tf.int32)
        return self.encode_hidden(
            self.hidden_below(token_ids, padding_mask, training), padding_mask, training
        )

    def hidden_below(
        self, token_ids: tf.Tensor, padding_mask: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Runs the embeddings and the layers below the lowest one that trains.

        What does not train does not drop out either, so that it computes what it will compute
        when the model serves. But for policy ``full`` the outcome never changes, and can be kept.

        Args:
            token_ids: as in `encode_tokens`.
            padding_mask: as in `encode_tokens`.
            training: as in `call`.

        Returns:
            float32 [batch, length, dimension], input of `encode_hidden`.
        """
        backbone = self.backbone
        token_ids = tf.cast(token_ids, tf.int32)
        tokens = backbone.token_embedding(token_ids)
        hidden = backbone.embeddings_add(
            (
                tokens,
                backbone.position_embedding(tokens),
                backbone.segment_embedding(tf.zeros_like(token_ids)),
            )
        )
        hidden = backbone.embeddings_layer_norm(hidden)
        hidden = backbone.embeddings_dropout(
            hidden, training=training if self.policy == "full" else False
        )
        layers = backbone.transformer_layers[: self.frozen_layers]
        return self._run(layers, hidden, padding_mask, training=False)

    def encode_hidden(
        self, hidden: tf.Tensor, padding_mask: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Runs the layers from the lowest one that trains, and the pooling.

        Args:
            hidden: float [batch, length, dimension], from `hidden_below`.
            padding_mask: as in `encode_tokens`.
            training: as in `call`.

        Returns:
            float32 [batch, dimension], each row of length 1.
        """
        hidden = self.last_hidden(hidden, padding_mask, training)
        weights = tf.cast(padding_mask, tf.float32)[:, :, tf.newaxis]
        total = tf.reduce_sum(tf.cast(hidden, tf.float32) * weights, axis=1)
        # The direction of the sum is that of the mean, so the division can be left out.
        return tf.math.l2_normalize(total, axis=-1)

    def last_hidden(
        self, hidden: tf.Tensor, padding_mask: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Returns the last layer's output [batch, length, dimension]; see `encode_hidden`."""
        layers = self.backbone.transformer_layers[self.frozen_layers :]
        return self._run(layers, hidden, tf.cast(padding_mask, tf.int32), training)

    def _run(
        self,
        layers: list[tf.keras.layers.Layer],
        hidden: tf.Tensor,
        padding_mask: tf.Tensor,
        training: bool | None,
    ) -> tf.Tensor:
        """Runs encoder layers, none of them the pooler."""
        for layer in layers:
            hidden = layer(hidden, padding_mask=padding_mask, training=training)
        return hidden

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        """Returns [batch, dimension]."""
        return tf.TensorShape([tf.TensorShape(input_shape)[0], self.dimension])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor; weights and vocabulary stay in their files."""
        return super().get_config() | {
            "architecture": dataclasses.asdict(self.architecture),
            "vocabulary": str(self.tokenizer.vocabulary_path),
            "settings": dataclasses.asdict(self.settings),
            "policy": self.policy,
            "top_n": self.top_n,
            "max_tokens": self.max_tokens,
            "lora_rank": self.lora_rank,
            "adapter_units": self.adapter_units,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BertTextTower":
        """Builds a tower from `get_config`, with random weights."""
        config = dict(config)
        config["architecture"] = BertArchitecture(**config["architecture"])
        config["settings"] = TokenizerSettings(**config["settings"])
        return cls(**config)
