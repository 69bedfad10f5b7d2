"""Which variables of a BERT train: the policies, and what they add to it."""

from typing import Literal

from tfrec.towers.bert.library import keras_nlp
from tfrec.towers.bert.side_layers import Adapter, LowRankUpdate

Policy = Literal["frozen", "top-n", "lora", "adapter", "full"]
POLICIES = ("frozen", "top-n", "lora", "adapter", "full")
PARTIAL = ("top-n", "lora", "adapter")
"""Policies that train something in the last encoder layers only."""


def apply_policy(
    backbone: keras_nlp.models.BertBackbone,
    policy: Policy,
    top_n: int,
    lora_rank: int,
    adapter_units: int,
) -> None:
    """Marks what trains, and adds the small layers of the policies `lora` and `adapter`.

    The pooler, which nothing reads, never trains.

    Args:
        backbone: the BERT.
        policy: what trains.
        top_n: number of last encoder layers that the policies of `PARTIAL` train in.
        lora_rank: rank of the updates of queries and values.
        adapter_units: width of the adapters.
    """
    backbone.trainable = policy == "full"
    backbone.pooled_dense.trainable = False
    if policy not in PARTIAL:
        return
    # A layer trains only below parents that do, so these open the way.
    backbone.trainable = True
    for layer in backbone.layers:
        layer.trainable = False
    for layer in backbone.transformer_layers[-top_n:]:
        if policy == "lora":
            attention = layer._self_attention_layer
            attention._query_dense = LowRankUpdate(attention._query_dense, lora_rank)
            attention._value_dense = LowRankUpdate(attention._value_dense, lora_rank)
            added = [attention._query_dense, attention._value_dense]
        elif policy == "adapter":
            layer._feedforward_output_dense = Adapter(
                layer._feedforward_output_dense, adapter_units
            )
            added = [layer._feedforward_output_dense]
        else:
            layer.trainable = True
            continue
        _train_only(layer, added)


def merge_updates(backbone: keras_nlp.models.BertBackbone) -> None:
    """Adds all low-rank updates to the kernels beside them."""
    for layer in backbone.transformer_layers:
        attention = layer._self_attention_layer
        for dense in (attention._query_dense, attention._value_dense):
            if isinstance(dense, LowRankUpdate):
                dense.merge()


def _train_only(
    layer: keras_nlp.layers.TransformerEncoder, added: list[LowRankUpdate | Adapter]
) -> None:
    """Freezes every leaf of an encoder layer but those that were added."""
    layer.trainable = True
    kept = {id(part) for each in added for part in each._flatten_layers()}
    kept -= {id(each.dense) for each in added}
    inside = {id(layer), id(layer._self_attention_layer)}
    for part in layer._flatten_layers():
        if id(part) not in kept | inside:
            part.trainable = False
