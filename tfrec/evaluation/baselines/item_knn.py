"""The neighbourhood baseline: items that the same shoppers chose."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from tfrec.data.cooccurrence import (
    ItemKNNSettings,
    common_shoppers,
    history_matrix,
    item_similarity,
)
from tfrec.data.item_counts import item_counts
from tfrec.evaluation.baselines.popularity import popularity_tie_break

if TYPE_CHECKING:
    from tfrec.data.dataset import PreparedDataset
    from tfrec.data.records import Histories


class ItemKNN:
    """Sums, over the events of a history, their items' similarity to every item.

    The similarity of two items is the cosine of their columns in the binary matrix shoppers x
    items of the training events, rows weighted, with a shrinkage in the denominator so that a
    few common shoppers are no proof: ``common / (sqrt(weight_i * weight_j) + shrinkage)``
    (Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001;
    shrinkage as in Ferrari Dacrema, Cremonesi and Jannach, "Are we really making much
    progress?", RecSys 2019). An item's similarity to itself follows the same formula and is
    kept, so that the model can recommend a re-purchase where those count. Popularity breaks
    ties, and so serves shoppers without a history.

    Attributes:
        similarity: sparse float32 `[num_items + 1, num_items + 1]`; row ``i`` holds the
            neighbours of item index ``i``, and itself.
        settings: the settings used.
    """

    name = "item_knn"

    def __init__(
        self,
        similarity: sparse.csr_matrix,
        settings: ItemKNNSettings,
        *,
        popularity: np.ndarray,
        events: list[int],
    ):
        self.similarity = similarity
        self.settings = settings
        self._events = events
        self._tie_break = popularity_tie_break(popularity)

    @classmethod
    def fit(
        cls,
        dataset: "PreparedDataset",
        settings: ItemKNNSettings | None = None,
        *,
        before: str = "valid",
    ) -> "ItemKNN":
        """Fits the similarities to the target events of the log.

        `tfrec.evaluation.tuning.tune_item_knn` finds settings on the validation split.

        Args:
            dataset: the prepared data set.
            settings: the settings; None for the defaults.
            before: the split, `valid` or `test`, that the log ends before.
        """
        return ItemKNNFitter(dataset, before=before).fit(settings or ItemKNNSettings())

    def score(self, histories: "Histories") -> np.ndarray:
        """Returns float32 `[len(histories), num_items + 1]`."""
        weights = history_matrix(
            histories, self.similarity.shape[0], decay=self.settings.decay, events=self._events
        )
        scores = (weights @ self.similarity).toarray()
        scores += self._tie_break
        return scores


class ItemKNNFitter:
    """Fits several `ItemKNN` models to one data set, counting common shoppers only once.

    Args:
        dataset: the prepared data set.
        before: the split, `valid` or `test`, that the log ends before.
    """

    def __init__(self, dataset: "PreparedDataset", *, before: str = "valid"):
        self._events = dataset.target_event_indices
        log, width = dataset.log_before(before), dataset.num_items + 1
        self._popularity = item_counts(log, width, self._events)[1:]
        self._chosen = history_matrix(log, width, events=self._events)
        self._common = lru_cache(maxsize=3)(self._count_common)

    def fit(self, settings: ItemKNNSettings) -> ItemKNN:
        """Returns the model with these settings."""
        common = self._common(settings.length_exponent)
        similarity = item_similarity(common, settings)
        return ItemKNN(similarity, settings, popularity=self._popularity, events=self._events)

    def _count_common(self, length_exponent: float) -> sparse.csr_matrix:
        return common_shoppers(self._chosen, length_exponent=length_exponent)
