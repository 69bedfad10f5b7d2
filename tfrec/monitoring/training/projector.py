"""The view of the item space: vectors and readable metadata for TensorBoard's projector."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from tfrec.data.dataset import VALUES_SUFFIX
from tfrec.files import atomic_file
from tfrec.monitoring.training.monitor import TimeBudget, View
from tfrec.monitoring.training.observer import ValidationReport

MOST_ITEMS = 5_000
"""The browser holds all of them; more make it slow, and the picture no clearer."""

VECTORS = "item_vectors.tsv"
METADATA = "item_metadata.tsv"
# The names that the projector looks for.
CONFIG = "projector_config.pbtxt"


class ProjectorView(View):
    """Writes the item vectors as files that the projector reads.

    The most popular items, up to `MOST_ITEMS`; the files hold the best weights so far, and in the
    end those of the finished model.

    Args:
        folder: the folder of the event files.
        vectors: returns float `[num_items, dimension]`.
        metadata: one row an item, see `item_metadata`.
        budget: decides whether the files are written in the middle of the training.
    """

    def __init__(
        self,
        folder: Path,
        vectors: Callable[[], np.ndarray],
        metadata: pd.DataFrame,
        budget: TimeBudget,
    ) -> None:
        self._folder = folder
        self._vectors = vectors
        order = np.argsort(-metadata["bought in training"].to_numpy(), kind="stable")
        self._chosen = np.sort(order[:MOST_ITEMS])
        self._metadata = metadata.iloc[self._chosen]
        self._budget = budget

    def validated(self, report: ValidationReport) -> None:
        """Writes the files if the weights are the best so far, and there is time."""
        if report.is_best and self._budget.allows():
            with self._budget.spending():
                self._write()

    def training_ended(self) -> None:
        """Writes the files."""
        self._write()

    def _write(self) -> None:
        vectors = self._vectors()[self._chosen]
        self._folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(self._folder / VECTORS) as temporary:
            temporary.write_text("".join(f"{_row(values)}\n" for values in vectors.tolist()))
        with atomic_file(self._folder / METADATA) as temporary:
            self._metadata.to_csv(temporary, sep="\t", index=False)
        config = ProjectorConfig()
        embedding = config.embeddings.add(
            tensor_name="items",
            tensor_shape=list(vectors.shape),
            tensor_path=VECTORS,
            metadata_path=METADATA,
        )
        assert embedding.tensor_path
        with atomic_file(self._folder / CONFIG) as temporary:
            temporary.write_text(text_format.MessageToString(config), encoding="utf-8")


def item_metadata(items: pd.DataFrame, categorical_columns: list[str]) -> pd.DataFrame:
    """Returns what the projector says of every item: title, categories, price, popularity.

    Args:
        items: the item table of a prepared data set.
        categorical_columns: its categorical columns.

    Returns:
        Strings without tabs or line breaks, and two columns of popularity: the number of events
        in training, and the tenth of the catalogue that the item is in, 1 being the most popular.
    """
    events = items["train_events"].to_numpy()
    rank = np.empty(len(events), np.int64)
    rank[np.argsort(-events, kind="stable")] = np.arange(len(events))
    titles = items["title"].where(items["title"].notna(), items["item_id"])
    columns = {"title": titles.map(_one_line), "item": items["item_id"].map(_one_line)}
    for column in categorical_columns:
        values = items[f"{column}{VALUES_SUFFIX}"]
        columns[column] = values.map(lambda row: _one_line(", ".join(row)))
    if items["price"].notna().any():
        columns["price"] = items["price"].map(lambda price: f"{price:.2f}")
    columns["bought in training"] = events
    columns["popularity tenth"] = rank * 10 // max(len(events), 1) + 1
    return pd.DataFrame(columns)


def _row(values: list[float]) -> str:
    return "\t".join(f"{value:.4f}" for value in values)


def _one_line(value: object) -> str:
    return " ".join(str(value).split())
