"""The neighbourhood baseline: items that the same shoppers chose."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from tfrec.data.cooccurrence import common_shoppers, history_matrix, nearest
from tfrec.evaluation.baselines.popularity import popularity_tie_break

if TYPE_CHECKING:
    from tfrec.data.dataset import PreparedDataset
    from tfrec.data.records import Histories


@dataclass(frozen=True)
class ItemKNNSettings:
    """What can be tuned of `ItemKNN`.

    Attributes:
        neighbours: most similar items kept for every item, itself not counted; None keeps all.
        shrinkage: added to the denominator of the cosine, in shoppers.
        length_exponent: a shopper of ``n`` items weighs ``n ** -length_exponent`` in the
            similarities, so that a wholesaler who buys everything links less.
        decay: an event of the history weighs `decay` times the event after it.
        self_weight: factor on an item's similarity to itself. It matters only where
            re-purchases count.
    """

    neighbours: int | None = None
    shrinkage: float = 50.0
    length_exponent: float = 0.5
    decay: float = 1.0
    self_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.neighbours is not None and self.neighbours < 0:
            raise ValueError(
                f"`neighbours` should not be negative. Received: neighbours={self.neighbours}"
            )
        if self.shrinkage < 0:
            raise ValueError(
                f"`shrinkage` should not be negative. Received: shrinkage={self.shrinkage}"
            )
        if not 0 < self.decay <= 1:
            raise ValueError(f"`decay` should lie in (0, 1]. Received: decay={self.decay}")


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
        train_events: np.ndarray,
        events: list[int],
    ):
        self.similarity = similarity
        self.settings = settings
        self._events = events
        self._tie_break = popularity_tie_break(train_events)

    @classmethod
    def fit(cls, dataset: "PreparedDataset", settings: ItemKNNSettings | None = None) -> "ItemKNN":
        """Fits the similarities to the target events of the data set's train split.

        `tfrec.evaluation.tuning.tune_item_knn` finds settings on the validation split.
        """
        return ItemKNNFitter(dataset).fit(settings or ItemKNNSettings())

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
        dataset: the prepared data set; its train split is used.
    """

    def __init__(self, dataset: "PreparedDataset"):
        self._events = dataset.target_event_indices
        self._train_events = dataset.items["train_events"].to_numpy()
        self._chosen = history_matrix(
            dataset.histories("train"), dataset.num_items + 1, events=self._events
        )
        self._common = lru_cache(maxsize=3)(self._count_common)

    def fit(self, settings: ItemKNNSettings) -> ItemKNN:
        """Returns the model with these settings."""
        common = self._common(settings.length_exponent)
        similarity = nearest(common, neighbours=settings.neighbours, shrinkage=settings.shrinkage)
        if settings.self_weight != 1.0:
            similarity.setdiag(similarity.diagonal() * np.float32(settings.self_weight))
        return ItemKNN(similarity, settings, train_events=self._train_events, events=self._events)

    def _count_common(self, length_exponent: float) -> sparse.csr_matrix:
        return common_shoppers(self._chosen, length_exponent=length_exponent)
