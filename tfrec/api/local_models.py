"""The exported models' functions, called in this process instead of over gRPC."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.api.answers import EARLIER, Recommendation, Recommendations
from tfrec.api.questions import AskedHistory
from tfrec.data.tensor_names import CONTEXT, PROBABILITY, tensor_names
from tfrec.errors import UserError
from tfrec.export.exportable import Exportable
from tfrec.export.served_models import ServedModels
from tfrec.towers.bert.weights import find_weights

Outputs = dict[str, np.ndarray]


class LocalModels:
    """Answers with the very graphs that an export would write.

    Args:
        source: the trained models with their items.

    Attributes:
        k: most items that an answer has.
        items: the item table by item id.
    """

    def __init__(self, source: Exportable) -> None:
        # The assets are read when the graphs are made, and again when one is traced.
        self._scratch = tempfile.TemporaryDirectory(prefix="tfrec-models-")
        self._served = ServedModels(
            source, find_weights(source.config.text.bert), Path(self._scratch.name)
        )
        self._graphs: dict[tuple[str, str], tf.types.experimental.ConcreteFunction] = {}
        self._spec = source.retrieval.spec
        self.k = source.config.export.k
        self.items: pd.DataFrame = source.items.set_index("item_id", drop=False)

    def ask(self, model: str, signature: str, inputs: dict[str, object]) -> Outputs:
        """Returns the outputs of a signature, strings decoded; all share the batch dimension."""
        definition = self._served.signatures[model][signature]
        if (model, signature) not in self._graphs:
            self._graphs[model, signature] = definition.trace()
        tensors = {
            name: tf.constant(inputs[name], spec.dtype) for name, spec in definition.inputs.items()
        }
        outputs = self._graphs[model, signature](**tensors)
        return {name: _decoded(values.numpy()) for name, values in outputs.items()}

    def need(self, model: str, signature: str) -> None:
        """Makes sure that there is a signature of the surfaces.

        Raises:
            UserError: if there is none.
        """
        if signature not in self._served.signatures[model]:
            raise UserError(
                f"there is no surface `{signature}`; fit the surfaces of the run with "
                "`tfrec train surfaces` and load it again"
            )

    def history_inputs(self, histories: Sequence[AskedHistory]) -> dict[str, object]:
        """Returns the history inputs of a batch of equally long histories.

        Raises:
            UserError: if a context feature is not one of the model's.
        """
        names = tensor_names(self._spec.contexts, CONTEXT)
        for name in {name for history in histories for name in history.context}:
            if name not in names:
                raise UserError(
                    f"the model has no context feature {name}; it has {', '.join(names) or 'none'}"
                )
        return {
            # "" stands where there is no event, so that there is a column.
            "history_item_id": [history.items or [""] for history in histories],
            "history_event": [history.events or [""] for history in histories],
            "history_timestamp": [history.timestamps or [0] for history in histories],
            **{
                tensor: [history.context.get(column, "") for history in histories]
                for column, tensor in names.items()
            },
        }

    def probabilities(self, outputs: Outputs, row: int = 0) -> dict[str, np.ndarray]:
        """Returns the event probabilities among the outputs of a signature, by event type."""
        events = [*self._spec.target_events]
        if self._spec.return_event is not None:
            events.append(self._spec.return_event)
        return {
            event: outputs[name][row]
            for event, name in tensor_names(events, PROBABILITY).items()
            if name in outputs
        }

    def recommendations(
        self, outputs: Outputs, k: int, title: str, later: frozenset[str] | None = None
    ) -> Recommendations:
        """Returns the items of a signature's answer to one question, best first.

        Args:
            outputs: of the signature.
            k: how many items at most.
            title: of the answer.
            later: ids of items that the shopper is known to have bought later.
        """
        chances = self.probabilities(outputs)
        items = []
        for rank, item_id in enumerate(outputs["item_id"][0][:k].tolist()):
            if not item_id:
                continue
            cause = ""
            causes: tuple[str, ...] = ()
            words: tuple[str, ...] = ()
            if "reason_item_id" in outputs:
                cause = str(outputs["reason_item_id"][0][rank])
                causes = _present(outputs["reason_item_ids"][0][rank])
                words = _present(outputs["reason_words"][0][rank])
            items.append(
                Recommendation(
                    item_id=item_id,
                    score=float(outputs["score"][0][rank]),
                    title=self.title(item_id),
                    price=self.price(item_id),
                    reason_item_id=cause or None,
                    reason=(EARLIER if cause == item_id else self.title(cause)) if cause else None,
                    reason_item_ids=causes,
                    reason_words=words,
                    probabilities={event: float(p[rank]) for event, p in chances.items()},
                )
            )
        return Recommendations(items, title, later)

    def known(self, item_ids: Sequence[str]) -> list[str]:
        """Returns those of `item_ids` that are in the catalogue."""
        return [item for item in item_ids if item in self.items.index]

    def title(self, item_id: str) -> str:
        """Returns the name of an item of the catalogue."""
        return str(self.items.at[item_id, "title"])

    def price(self, item_id: str) -> float | None:
        """Returns the price of an item of the catalogue, or None where it has none."""
        price = float(self.items.at[item_id, "price"])
        return None if np.isnan(price) else price


def _decoded(values: np.ndarray) -> np.ndarray:
    return np.char.decode(values.astype(bytes), "utf-8") if values.dtype == object else values


def _present(names: np.ndarray) -> tuple[str, ...]:
    return tuple(str(name) for name in names if name)
