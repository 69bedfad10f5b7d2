"""Retrieval, ranking and display order, over item indices: what is evaluated and served."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.index.exact import best_items, hide_items, hide_unavailable
from tfrec.index.item_vectors import ItemVectors, VectorKind
from tfrec.models.event_weights import check_event_weights
from tfrec.models.ranking import RankingModel
from tfrec.models.ranking_features import CandidateFeatures, retrieval_features
from tfrec.models.retrieval import RetrievalModel
from tfrec.rerank.display_order import PLACEMENTS, RANKED, DisplayOrder
from tfrec.rerank.exploration import seeds_of
from tfrec.towers.cold_start import ColdStart
from tfrec.towers.histories import History, last_events

NO_VALUE = -1.0


class Retriever(tf.Module):
    """A trained retrieval model with the item vectors computed once.

    Args:
        model: the trained model.
        opening: float `[num_items + 1]`, the scores for shoppers without a history, the best first
            and above 0; `None` for those of the model.
        kind: how the item vectors are kept.

    Attributes:
        index: the item vectors as they are kept.
    """

    def __init__(
        self,
        model: RetrievalModel,
        opening: np.ndarray | None = None,
        kind: VectorKind = "float32",
    ) -> None:
        super().__init__(name="retriever")
        self.model = model
        self.opening: tf.Variable | None = None
        if opening is not None:
            values = np.pad(opening, (0, model.catalogue.num_items + 1 - len(opening)))
            self.opening = tf.Variable(values.astype(np.float32), trainable=False, name="opening")
        self.index = ItemVectors(model.item_vectors(), kind)

    @property
    def vectors(self) -> tf.Tensor:
        """The vectors of all items, float32 `[num_items + 1, dimension]`, row 0 unused."""
        return self.index.table()

    def refresh(self) -> None:
        """Computes the item vectors anew, after further training."""
        self.index.assign(self.model.item_vectors())

    def query_vectors(self, history: History) -> tf.Tensor:
        """Returns float32 `[batch, dimension]`: where each shopper stands after his history."""
        return self._query_vectors(last_events(history, self.model.config.max_history))

    def scores(self, history: History) -> tf.Tensor:
        """Returns float32 `[batch, num_items + 1]`; column 0 has no meaning."""
        recent = last_events(history, self.model.config.max_history)
        queries = self._query_vectors(recent)
        scores = self.index.products(queries)
        size = tf.constant(self.index.count)
        if self.model.repeat_bonus is not None:
            scores += self.model.repeat_bonus(
                recent["item"], recent["timestamp"], recent["length"], size
            )
        if self.model.memory is not None:
            scores += self.model.memory(recent["item"], self._hits(recent), size)
        if self.model.trend is not None:
            scores += self.model.trend(size)
        cold_start = self.model.cold_start
        if cold_start is not None:
            towards = self._towards_profile(cold_start, recent, queries)
            scores += self.index.products(towards) * cold_start.weights_of_items(size)
            scores += cold_start.bonus_of_items(size)
        return self.with_opening(history, scores, tf.range(size))

    def queries_and_ways(
        self, cold_start: ColdStart, history: History
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `query_vectors`, and what `cold_start` says of them, `[batch, dimension]`."""
        recent = last_events(history, self.model.config.max_history)
        queries = self._query_vectors(recent)
        return queries, self._towards_profile(cold_start, recent, queries)

    def with_opening(self, history: History, scores: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Returns the scores, and those of the opening where there is no history.

        Args:
            history: the shoppers' histories.
            scores: float32 `[batch, count]`.
            items: the items of the scores, `[batch, count]` or `[count]`.
        """
        if self.opening is None:
            return scores
        known = (history["length"] > 0)[:, tf.newaxis]
        return tf.where(known, scores, tf.gather(self.opening, items))

    def _towards_profile(
        self, cold_start: ColdStart, recent: History, queries: tf.Tensor
    ) -> tf.Tensor:
        return cold_start(queries, self.index.rows(recent["item"]), self._hits(recent))

    def _hits(self, recent: History) -> tf.Tensor:
        """Returns bool `[batch, length]`: events of a target type."""
        targets = self.model.spec.target_event_indices
        return tf.reduce_any(recent["event"][..., tf.newaxis] == targets, axis=-1)

    def _query_vectors(self, recent: History) -> tf.Tensor:
        vectors, places = self.index.local(recent["item"])
        local = {**recent, "item": places}
        states = self.model.query_vectors(local, vectors, recent["length"][:, tf.newaxis])
        return tf.cast(states[:, 0], tf.float32)


class Ranker(tf.Module):
    """A trained ranking model with the features that it reads.

    Args:
        model: the trained model.
        features: the features, in the order that the model was trained with.
        temperature: the temperature of the retrieval model.
    """

    def __init__(
        self, model: RankingModel, features: CandidateFeatures, temperature: float
    ) -> None:
        super().__init__(name="ranker")
        self.model = model
        self.features = features
        self.temperature = temperature

    def describe(self, history: History, candidates: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[batch, num_candidates, num_features]`.

        Args:
            history: the shoppers' histories.
            candidates: int64 `[batch, num_candidates]`; 0 for none.
            scores: float32 `[batch, num_items + 1]`, of the retrieval model, nothing hidden.
        """
        recent = last_events(history, self.model.config.max_history)
        return self.features(
            recent["item"],
            recent["event"],
            recent["timestamp"],
            candidates,
            retrieval_features(scores, candidates, self.temperature),
        )

    def rank(
        self, history: History, candidates: tf.Tensor, scores: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the value and the event probabilities of candidates, `[batch, num_candidates]`.

        Args: those of `describe`.
        """
        logits = self.model(self.describe(history, candidates, scores))
        probabilities = self.model.probabilities(logits)
        return self.worth(candidates, probabilities), probabilities

    def worth(
        self,
        candidates: tf.Tensor,
        probabilities: dict[str, tf.Tensor],
        event_weights: dict[str, float] | None = None,
        return_penalty: float | None = None,
    ) -> tf.Tensor:
        """Returns the value of candidates, `[batch, num_candidates]`, that of new ones raised.

        Args:
            candidates: int64 `[batch, num_candidates]`.
            probabilities: of every event, as `rank` returns them.
            event_weights: as in `RankingModel.worth`.
            return_penalty: as in `RankingModel.worth`.
        """
        sales = tf.gather(self.features.sales, candidates)
        worth = self.model.worth(probabilities, event_weights, return_penalty)
        return worth * self.model.factor_of(sales)


class Shown(NamedTuple):
    """What a shopper is shown, `[batch, count]`, in the order in which to show it.

    Attributes:
        items: int64, 0 where there are too few.
        values: float32, what the ranking model says; -1 where there is no item.
        probabilities: float32 an event.
        placement: int32, positions in `rerank.display_order.PLACEMENTS`: why each stands there.
    """

    items: tf.Tensor
    values: tf.Tensor
    probabilities: dict[str, tf.Tensor]
    placement: tf.Tensor


class Recommender(tf.Module):
    """Candidates from the retriever, in the order of the ranker, arranged for a surface.

    Args:
        retriever: the first stage.
        ranker: the second stage.
        candidates: how many items pass from the first to the second.
        display: the display order; `None` for that of the ranker.

    Raises:
        UserError: if the display order weighs what is no target event.
    """

    def __init__(
        self,
        retriever: Retriever,
        ranker: Ranker,
        candidates: int,
        display: DisplayOrder | None = None,
    ) -> None:
        super().__init__(name="recommender")
        if display is not None and display.config.event_weights is not None:
            check_event_weights(display.config.event_weights, ranker.model.target_events, "display")
        self.retriever = retriever
        self.ranker = ranker
        self.candidates = candidates
        self.display = display

    def recommend(
        self,
        history: History,
        hidden: tf.Tensor,
        available: tf.Tensor | None = None,
        scores: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the candidates in the order of the ranker.

        Args:
            history: the shoppers' histories.
            hidden: int64 `[batch, count]`, items never to be shown; 0 for none.
            available: bool `[num_items + 1]`, items that may be shown to anyone; `None` for all.
            scores: what the retriever says of the histories, where that is known already.

        Returns:
            int64 `[batch, candidates]` items, 0 where there are too few; their values float32
            `[batch, candidates]`; and the probability of each event, of the same shape.
        """
        scores, items = self._retrieve(history, hidden, available, scores)
        values, probabilities = self.ranker.rank(history, items, scores)
        values = self.retriever.with_opening(history, values, items)
        values = tf.where(items > 0, values, tf.fill(tf.shape(values), NO_VALUE))
        values, order = tf.math.top_k(values, k=self.candidates)
        return (
            tf.gather(items, order, batch_dims=1),
            values,
            {
                event: tf.gather(values, order, batch_dims=1)
                for event, values in probabilities.items()
            },
        )

    def show(
        self,
        history: History,
        hidden: tf.Tensor,
        available: tf.Tensor | None = None,
        *,
        count: int,
        seeds: tf.Tensor | None = None,
        scores: tf.Tensor | None = None,
    ) -> Shown:
        """Returns the items to show.

        Args:
            history: the shoppers' histories.
            hidden: as in `recommend`.
            available: as in `recommend`.
            count: how many, the number of candidates at most.
            seeds: string `[batch]`, of what is left to chance; `None` takes them from the
                histories.
            scores: what the retriever says of the histories, where that is known already.
        """
        if self.display is None:
            items, values, probabilities = self.recommend(history, hidden, available, scores)
            items, values = items[:, :count], values[:, :count]
            return Shown(
                items,
                values,
                {event: chances[:, :count] for event, chances in probabilities.items()},
                tf.cast(items > 0, tf.int32) * PLACEMENTS.index(RANKED),
            )
        scores, items = self._retrieve(history, hidden, available, scores)
        if len(self.display.rules):
            own = self.display.products(items, hidden, available)
            items = tf.concat([items, own], axis=1)
        values, probabilities = self.ranker.rank(history, items, scores)
        config = self.display.config
        worth = values
        if config.event_weights is not None or config.return_penalty is not None:
            worth = self.ranker.worth(
                items, probabilities, config.event_weights, config.return_penalty
            )
        values = self.retriever.with_opening(history, values, items)
        worth = self.retriever.with_opening(history, worth, items)
        if seeds is None:
            seeds = seeds_of(history["item"], history["timestamp"], history["length"])
        order, placement = self.display(
            items, self.display.values(items, worth), self.retriever.index, seeds, count
        )
        order = order[:, :count]
        return Shown(
            tf.gather(items, order, batch_dims=1),
            tf.gather(tf.where(items > 0, values, NO_VALUE), order, batch_dims=1),
            {
                event: tf.gather(chances, order, batch_dims=1)
                for event, chances in probabilities.items()
            },
            placement[:, :count],
        )

    def _retrieve(
        self,
        history: History,
        hidden: tf.Tensor,
        available: tf.Tensor | None,
        scores: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scores of all items, and the best ones that may be shown."""
        if scores is None:
            scores = self.retriever.scores(history)
        visible = hide_items(scores, hidden)
        if available is not None:
            visible = hide_unavailable(visible, available)
        _, items = best_items(visible, self.candidates)
        return scores, tf.ensure_shape(items, [None, self.candidates])
