"""Writes small BERTs with random weights in Hugging Face layout, for tests that need one."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [
    *["red", "blue", "cotton", "dress", "lamp", "shade", "usb", "cable", "for", "the", "a", "of"],
    *["heart", "light", "holder"],
]


def vocabulary() -> list[str]:
    """Returns a lower-case vocabulary that can spell every ASCII word, and some Chinese."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [*letters, *(f"##{letter}" for letter in letters), "##s", "##ing"]
    return list(dict.fromkeys([*SPECIAL_TOKENS, *WORDS, *pieces, *"智能手表防水", *".,-!?$%()[]"]))


def tensors(
    rows: int, *, seed: int, layers: int = 2, hidden: int = 32, inner: int = 64, positions: int = 64
) -> dict[str, np.ndarray]:
    """Returns the tensors of a BERT under Hugging Face's names, pooler included."""
    random = np.random.default_rng(seed)

    def normal(*shape: int, scale: float = 0.3) -> np.ndarray:
        return random.normal(0.0, scale, shape).astype(np.float32)

    made = {
        "embeddings.word_embeddings.weight": normal(rows, hidden),
        "embeddings.position_embeddings.weight": normal(positions, hidden),
        "embeddings.token_type_embeddings.weight": normal(2, hidden),
        "embeddings.position_ids": np.arange(positions)[np.newaxis],
        "pooler.dense.weight": normal(hidden, hidden),
        "pooler.dense.bias": normal(hidden),
    }
    dense = {"pooler.dense": (hidden, hidden)}
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            dense[f"{name}.attention.{part}"] = (hidden, hidden)
        dense[f"{name}.intermediate.dense"] = (inner, hidden)
        dense[f"{name}.output.dense"] = (hidden, inner)
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    for name, shape in dense.items():
        made[f"{name}.weight"] = normal(*shape)
        made[f"{name}.bias"] = normal(shape[0])
    for name in norms:
        made[f"{name}.weight"] = 1.0 + normal(hidden, scale=0.1)
        made[f"{name}.bias"] = normal(hidden, scale=0.1)
    return made


def write_tiny_bert(
    folder: Path,
    *,
    seed: int = 7,
    prefix: str = "",
    layers: int = 2,
    hidden: int = 32,
    tokens: list[str] | None = None,
    tokenizer_config: dict | None = None,
    extra: dict[str, np.ndarray] | None = None,
    **config: object,
) -> Path:
    """Writes ``config.json``, ``model.safetensors`` and ``vocab.txt``; returns `folder`.

    Args:
        folder: where to write; created.
        seed: seed of the random weights.
        prefix: stands before every tensor's name, such as ``bert.``.
        layers: encoder layers.
        hidden: width.
        tokens: the vocabulary; ``None`` for `vocabulary()`.
        tokenizer_config: content of ``tokenizer_config.json``; ``None`` writes none.
        extra: further tensors, such as a task head.
        **config: values of ``config.json`` to add or replace.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokens = vocabulary() if tokens is None else tokens
    made = tensors(len(tokens), seed=seed, layers=layers, hidden=hidden)
    save_file(
        {prefix + name: value for name, value in made.items()} | (extra or {}),
        folder / "model.safetensors",
    )
    description = {
        "model_type": "bert",
        "vocab_size": len(tokens),
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "hidden_size": hidden,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(description | config), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    if tokenizer_config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    return folder
