"""Warm-up records: requests that a server runs on a new version before any client's."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tfrec.data.records import Histories
from tfrec.data.tensor_names import CONTEXT, tensor_names
from tfrec.export.exportable import Example
from tfrec.export.saving import Signature
from tfrec.towers.spec import DataSpec

RECORDS = "assets.extra/tf_serving_warmup_requests"
# A model server refuses to load a version with more.
MOST_RECORDS = 1000
LONGEST_HISTORY = 200
CANDIDATES = 50
BASKET = 20


def examples(
    histories: Histories, items: pd.DataFrame, spec: DataSpec, count: int
) -> list[Example]:
    """Returns examples of `count` shoppers at most, from the shortest history to the longest."""
    order = np.argsort(histories.lengths, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, count).round().astype(int))]
    return [_example(histories, int(shopper), items, spec) for shopper in chosen]


def _example(histories: Histories, shopper: int, items: pd.DataFrame, spec: DataSpec) -> Example:
    place = histories.history(shopper)
    place = slice(max(place.start, place.stop - LONGEST_HISTORY), place.stop)
    rows = histories.item[place] - 1
    last = items.iloc[rows[-1] if len(rows) else 0]
    example: Example = {
        "history_item_id": items["item_id"].iloc[rows].tolist(),
        "history_event": [spec.event_types[event - 1] for event in histories.event[place]],
        "history_timestamp": histories.timestamp[place].tolist(),
        "candidate_item_id": items["item_id"].iloc[:: max(1, len(items) // CANDIDATES)].tolist(),
        "basket_item_id": items["item_id"].iloc[rows[-BASKET:]].tolist(),
        "item_id": last["item_id"],
        "query": last["title"],
        # JSON, in which examples are kept, has no NaN, which would be no bound.
        "filter_price_to": 1e9,
        "price": float(last["price"]) if np.isfinite(last["price"]) else 0.0,
        **{name: str(last[name]) for name in ("title", "description", "brand", "categories")},
    }
    for column, name in tensor_names(spec.contexts, CONTEXT).items():
        values = histories.context[column][place]
        value = int(values[-1]) if len(values) else 0
        example[name] = spec.contexts[column][value - 1] if value else ""
    return example


def write_warm_up(
    folder: Path, model: str, signatures: Mapping[str, Signature], requests: list[Example]
) -> None:
    """Writes one record a signature and example into the SavedModel in `folder`.

    Args:
        folder: the SavedModel.
        model: name of the model, which the records address.
        signatures: its signatures.
        requests: what to ask; too many for a model server are thinned out.
    """
    if not requests:
        return
    most = min(len(requests), MOST_RECORDS // len(signatures))
    chosen = np.linspace(0, len(requests) - 1, most).round().astype(int)
    path = folder / RECORDS
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, signature in signatures.items():
            for index in chosen:
                record = _record(model, name, signature, requests[index])
                writer.write(record.SerializeToString())


def _record(
    model: str, name: str, signature: Signature, example: Example
) -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = model
    request.model_spec.signature_name = name
    for alias, spec in signature.inputs.items():
        blank = {tf.string: "", tf.bool: False}.get(spec.dtype, 0)
        value = example.get(alias) or blank
        if spec.shape.rank == 2 and value == blank:
            value = [blank] * (spec.shape[1] or 1)
        request.inputs[alias].CopyFrom(tf.make_tensor_proto([value], dtype=spec.dtype))
    return log
