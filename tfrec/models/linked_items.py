"""The items that speak for a candidate when a shopper had them."""

import numpy as np
import tensorflow as tf

from tfrec.data.item_links import ItemLinks
from tfrec.data.log_statistics import ITEM_STATISTICS, LogStatistics
from tfrec.models.alike_items import AlikeItems
from tfrec.models.alike_links import alike_links
from tfrec.models.borrowed_neighbours import with_borrowed
from tfrec.towers.stand_ins import StandIns

WEIGHTINGS = ("hits", "steps", "days", "last", "returns")
"""How a history's events count: every hit alike, fading by step, fading by day, the last hit alone,
and returns."""
HITS = WEIGHTINGS[:-1]
RECENT = ("steps", "last")
LINKS = {"neighbour": WEIGHTINGS, "follower": RECENT, "alike": RECENT, "of_alike": RECENT}
"""How items are linked (see `LinkedItems`), and the weightings in which that is read."""


class LinkedItems(tf.Module):
    """Tables of the items that each item is linked to.

    - `neighbour`: those had by the same shoppers, by cosine (the ItemKNN score),
    - `follower`: those that shoppers had shortly before it, by count (a first-order Markov chain
      with gaps; Rendle et al., WWW 2010, factorise its like),
    - `alike`: those had by the same shoppers as the items that are described like it,
    - `of_alike`: those that are described like its neighbours.

    Args:
        statistics: of the log.
        text: float32 `[num_items + 1, text_dimension]`, unit vectors of the items' texts, or zeros.
        alike: of these texts.
    """

    def __init__(self, statistics: LogStatistics, text: np.ndarray, alike: AlikeItems) -> None:
        super().__init__(name="linked_items")
        self._alike = alike.matrix()
        self._tables = {
            link: (
                tf.Variable(table.items, trainable=False, name=f"{link}_items"),
                tf.Variable(table.weights, trainable=False, name=f"{link}_weights"),
            )
            for link, table in self._tables_of(statistics, text).items()
        }

    def fill(self, statistics: LogStatistics, text: np.ndarray) -> None:
        """Takes over other statistics of the same items, with the same texts."""
        for link, table in self._tables_of(statistics, text).items():
            for variable, values in zip(self._tables[link], table, strict=True):
                variable.assign(values)

    def __call__(self, link: str, laid_out: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        """Sums what is laid out on the items that candidates are linked to.

        Args:
            link: one of `LINKS`.
            laid_out: float32 `[batch, num_items + 1, weightings]`.
            candidates: int64 `[batch, num_candidates]`.

        Returns:
            float32 `[batch, num_candidates, weightings]`.
        """
        table, weights = self._tables[link]
        items = tf.gather(table, candidates)
        batch, num_candidates, count = tf.unstack(tf.shape(items))
        found = tf.gather(laid_out, tf.reshape(items, [batch, -1]), batch_dims=1)
        found = tf.reshape(found, [batch * num_candidates, count, laid_out.shape[-1]])
        rows = tf.reshape(tf.gather(weights, candidates), [batch * num_candidates, 1, count])
        # A product of matrices costs two thirds of what an einsum does here.
        sums = tf.linalg.matmul(rows, found)
        return tf.reshape(sums, [batch, num_candidates, laid_out.shape[-1]])

    def _tables_of(self, statistics: LogStatistics, text: np.ndarray) -> dict[str, ItemLinks]:
        # Items that nobody had, or nobody together with another, and whose text says something.
        lonely = (statistics.neighbours.items == 0).all(axis=1) & text.any(axis=1)
        stand_ins = StandIns.of(text, np.flatnonzero(lonely))
        neighbours = with_borrowed(statistics.neighbours, stand_ins)
        predecessors = with_borrowed(statistics.predecessors, stand_ins)
        # Those of a typical item where there is no past, or what is borrowed would not count.
        sales = np.expm1(statistics.items[:, ITEM_STATISTICS.index("log_count")])
        alike, of_alike = alike_links(neighbours, self._alike, sales)
        return dict(zip(LINKS, (neighbours, predecessors, alike, of_alike), strict=True))
