"""The signatures of lists for one shopper: what he buys again, and what else there is."""

import tensorflow as tf

from tfrec.export.requests import NOW, TIMES, RequestReader
from tfrec.export.saving import Signature, Tensors
from tfrec.export.served_items import ServedItems
from tfrec.index.exact import NEVER, best_items, hide_items, hide_unavailable
from tfrec.models.recommender import Retriever
from tfrec.surfaces.buy_again import NOT_BOUGHT, Again, BuyAgain
from tfrec.surfaces.shelves import Shelves
from tfrec.towers.histories import History

ALIKE = 40
"""Items most like another one that are shown because of it, in the order of a shopper's taste."""


class ShelfScores(tf.Module):
    """Scores the catalogue for each kind of shelf, `NEVER` where an item is none for it.

    Args:
        items: the item table.
        retriever: the trained model.
        shelves: kinds of products, news and trends.
        again: repeat purchases; `None` where the log says nothing of them.
    """

    def __init__(
        self, items: ServedItems, retriever: Retriever, shelves: Shelves, again: BuyAgain | None
    ) -> None:
        super().__init__(name="shelf_scores")
        self.available = items.available
        self._retriever = retriever
        self._shelves = shelves
        self._again = again

    def wanted(self, history: History) -> tf.Tensor:
        """Returns what each shopper may want, float32 `[batch, num_items + 1]`."""
        return self._retriever.scores(history)

    def unseen(self, history: History, hidden: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        """Hides what is excluded, sold out or in the history, float32 `[batch, num_items + 1]`."""
        return self.shown(tf.concat([hidden, history["item"]], axis=1), scores)

    def shown(self, hidden: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        """Hides what is excluded or sold out, float32 `[batch, num_items + 1]`."""
        return hide_unavailable(hide_items(scores, hidden), self.available)

    def other_categories(self, history: History, hidden: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        """Scores items of the kinds that are not in the history by what the shopper may want."""
        elsewhere = self._shelves.visited(history["item"]) == 0.0
        return tf.where(elsewhere, self.unseen(history, hidden, wanted), NEVER)

    def new_for_you(self, history: History, hidden: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        """Scores new items by what the shopper may want."""
        return tf.where(self._shelves.new, self.unseen(history, hidden, wanted), NEVER)

    def trending(self, history: History, hidden: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        """Scores items that sell more than before, of the kinds in the history, by the same."""
        return tf.where(self._shelves.trending(history["item"]), self.shown(hidden, wanted), NEVER)

    def alike(
        self, history: History, hidden: tf.Tensor, wanted: tf.Tensor, likeness: tf.Tensor
    ) -> tf.Tensor:
        """Scores the items most like one by what the shopper may want.

        Args:
            history: the shoppers' histories.
            hidden: int64 `[batch, count]`, items not to be shown.
            wanted: as `wanted` returns it.
            likeness: float32 `[batch, num_items + 1]`.
        """
        likeness = self.unseen(history, hidden, likeness)
        best, _ = best_items(likeness, ALIKE)
        least = tf.maximum(best[:, -1:], NEVER / 2)
        return tf.where(likeness >= least, wanted, NEVER)

    def buy_again(self, history: History, hidden: tf.Tensor, now: tf.Tensor) -> Again | None:
        """Says what of his purchases the shopper repeats; `None` where nothing is known of it."""
        if self._again is None:
            return None
        size = tf.size(self.available)
        again = self._again(history["item"], history["event"], history["timestamp"], now, size)
        shown = self.shown(hidden, again.logits)
        return again._replace(logits=tf.where(shown > NOT_BOUGHT / 2, shown, NEVER))


class ShelfSignatures:
    """What the retrieval model offers of these lists.

    Args:
        items: the item table.
        requests: reads histories and exclusions, without hiding the history.
        scores: scores the catalogue.
        k: how many items an answer has.
    """

    def __init__(
        self, items: ServedItems, requests: RequestReader, scores: ShelfScores, k: int
    ) -> None:
        self._items = items
        self._requests = requests
        self._scores = scores
        self._k = k

    def signatures(self, *, with_again: bool) -> dict[str, Signature]:
        """Returns every signature by name."""
        inputs = self._requests.inputs
        found = {"other_categories": Signature(self.other_categories, inputs)}
        if with_again:
            found["buy_again"] = Signature(self.buy_again, {**inputs, NOW: TIMES})
        return found

    def other_categories(self, inputs: Tensors) -> Tensors:
        """Returns items of the kinds of products that are not in each history, `[batch, k]`."""
        history, hidden = self._requests.read(inputs)
        scores = self._scores.other_categories(history, hidden, self._scores.wanted(history))
        return self._items.best(scores, self._k)

    def buy_again(self, inputs: Tensors) -> Tensors:
        """Returns what is due again, `[batch, k]`.

        The score is the probability that it is bought again in the next days; with it go the days
        that are expected between two purchases, and those until the next one.
        """
        history, hidden = self._requests.read(inputs)
        again = self._scores.buy_again(history, hidden, inputs[NOW])
        assert again is not None, "there is such a signature only where this is known"
        logits, items = best_items(again.logits, self._k)
        return {
            "item_id": self._items.ids(items),
            "score": tf.sigmoid(logits),
            "interval_days": tf.gather(again.interval, items, batch_dims=1),
            "due_in_days": tf.gather(again.due_in, items, batch_dims=1),
        }
