"""Warm-up records: requests that a server runs on a new version before any client's."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tfrec.data.records import Histories
from tfrec.export.histories import HISTORY_INPUTS
from tfrec.export.names import CONTEXT, tensor_names
from tfrec.export.saving import Signature
from tfrec.towers.spec import DataSpec

RECORDS = "assets.extra/tf_serving_warmup_requests"
# A model server refuses to load a version with more.
MOST_RECORDS = 1000
LONGEST_HISTORY = 200


class Example:
    """What a request may ask for: one shopper's history, and an item.

    Attributes:
        inputs: a value for every input that a signature may have, without the batch dimension.
    """

    def __init__(
        self, histories: Histories, shopper: int, items: pd.DataFrame, spec: DataSpec
    ) -> None:
        place = histories.history(shopper)
        place = slice(max(place.start, place.stop - LONGEST_HISTORY), place.stop)
        rows = histories.item[place] - 1
        last = items.iloc[rows[-1] if len(rows) else 0]
        contexts = tensor_names(spec.contexts, CONTEXT)
        self.inputs: dict[str, object] = {
            "history_item_id": items["item_id"].iloc[rows].tolist(),
            "history_event": [spec.event_types[event - 1] for event in histories.event[place]],
            "history_timestamp": histories.timestamp[place].tolist(),
            "exclude_item_id": [""],
            "candidate_item_id": items["item_id"].iloc[:: max(1, len(items) // 50)].tolist(),
            "item_id": last["item_id"],
            "query": last["title"],
            "price": float(last["price"]),
            **{name: str(last[name]) for name in ("title", "description", "brand", "categories")},
        }
        for column, names in spec.contexts.items():
            values = histories.context[column][place]
            value = int(values[-1]) if len(values) else 0
            self.inputs[contexts[column]] = names[value - 1] if value else ""


def examples(
    histories: Histories, items: pd.DataFrame, spec: DataSpec, count: int
) -> list[Example]:
    """Returns examples of `count` shoppers at most, from the shortest history to the longest."""
    order = np.argsort(histories.lengths, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, count).round().astype(int))]
    return [Example(histories, int(shopper), items, spec) for shopper in chosen]


def write_warm_up(
    folder: Path, model: str, signatures: Mapping[str, Signature], shoppers: list[Example]
) -> None:
    """Writes one record a signature and example into the SavedModel in `folder`."""
    if not shoppers:
        return
    most = min(len(shoppers), MOST_RECORDS // len(signatures))
    chosen = np.linspace(0, len(shoppers) - 1, most).round().astype(int)
    path = folder / RECORDS
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, signature in signatures.items():
            for record in _records(model, name, signature, [shoppers[i] for i in chosen]):
                writer.write(record.SerializeToString())


def _records(
    model: str, name: str, signature: Signature, shoppers: list[Example]
) -> Iterator[prediction_log_pb2.PredictionLog]:
    for example in shoppers:
        log = prediction_log_pb2.PredictionLog()
        request = log.predict_log.request
        request.model_spec.name = model
        request.model_spec.signature_name = name
        for alias, spec in signature.inputs.items():
            value = example.inputs.get(alias, "")
            if alias in HISTORY_INPUTS and not value:
                value = [0 if spec.dtype == tf.int64 else ""]
            request.inputs[alias].CopyFrom(tf.make_tensor_proto([value], dtype=spec.dtype))
        yield log
