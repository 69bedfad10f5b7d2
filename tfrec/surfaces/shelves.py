"""What the shelves of a page read beside the models: kinds of products, news and trends."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfrec.data.dataset import PreparedDataset
from tfrec.data.item_counts import SECONDS_PER_DAY, item_counts
from tfrec.surfaces.groups import category_groups, groups_of_all, learned_groups
from tfrec.surfaces.stored import StoredTables

WEEK, BEFORE = 7, 28
"""Days of the sales that trend, and days before them that they are compared with."""
NEVER_SEEN = -1.0
LEAST_TREND = 1.0
"""Standard deviations by which sales are above what was expected, from which they trend."""


@dataclass(frozen=True)
class ShelfTables(StoredTables):
    """What the log and the catalogue say of every item.

    Attributes:
        group: int32 `[num_items + 1]`, its kind, from 1; 0 for none.
        trend: float32 `[num_items + 1]`, by how many standard deviations a week's sales are above
            what the four weeks before let expect.
        age: float32 `[num_items + 1]`, days since it first was in the log; `NEVER_SEEN` if never.
    """

    group: np.ndarray
    trend: np.ndarray
    age: np.ndarray


def count_shelves(
    dataset: PreparedDataset,
    before: str,
    vectors: np.ndarray,
    *,
    column: str | None,
    groups: int,
    seed: int,
) -> ShelfTables:
    """Returns what the log before a split says.

    Args:
        dataset: the prepared data set.
        before: the split, `valid` or `test`.
        vectors: float32 `[num_items, dimension]`, unit vectors of the texts.
        column: the categorical column that says what kind a product is; None for `categories`
            where the catalogue fills it, else for learned groups.
        groups: how many to learn.
        seed: seed of learned groups.

    Raises:
        UserError: if there is no such column.
    """
    log = dataset.log_before(before)
    width = dataset.num_items + 1
    weeks = [
        item_counts(log, width, dataset.target_event_indices, days=days)
        for days in (WEEK, WEEK + BEFORE)
    ]
    expected = (weeks[1] - weeks[0]) * WEEK / BEFORE
    trend = (weeks[0] - expected) / np.sqrt(expected + 1.0)
    first = np.full(width, np.iinfo(np.int64).max)
    np.minimum.at(first, log.item, log.timestamp)
    end = int(log.timestamp.max(initial=0))
    age = np.where(
        first <= end, (end - np.minimum(first, end)) / SECONDS_PER_DAY, NEVER_SEEN
    ).astype(np.float32)
    return ShelfTables(
        _kinds(dataset, vectors, column, groups, seed),
        # Without times all sales are of one day, and nothing trends.
        (trend if log.timestamp.any() else np.zeros(width)).astype(np.float32),
        age if log.timestamp.any() else np.where(first <= end, np.inf, age).astype(np.float32),
    )


def _kinds(
    dataset: PreparedDataset, vectors: np.ndarray, column: str | None, groups: int, seed: int
) -> np.ndarray:
    if column is None and "categories" in dataset.categorical_columns:
        kinds = category_groups(dataset.categories("categories").values)
        if len(np.unique(kinds)) > 2:
            return kinds
    if column is not None:
        return category_groups(dataset.categories(column).values)
    return learned_groups(vectors, groups, seed=seed)


class Shelves(tf.Module):
    """Scores the catalogue for the shelves of a page.

    Args:
        tables: what the log says. Items after those of the tables are new.
        vectors: float32 `[num_items, dimension]`, unit vectors of the texts of all items.
        new_days: for how long an item is new.
    """

    def __init__(self, tables: ShelfTables, vectors: np.ndarray, new_days: int) -> None:
        super().__init__(name="shelves")
        group = groups_of_all(tables.group, vectors)
        missing = (0, len(group) - len(tables.group))
        age = np.pad(tables.age, missing, constant_values=NEVER_SEEN)
        self.count = int(group.max(initial=0)) + 1
        self.group = tf.Variable(group, trainable=False)
        self.trends = tf.Variable(np.pad(tables.trend >= LEAST_TREND, missing), trainable=False)
        self.new = tf.Variable(age <= new_days, trainable=False)

    def shares(self, items: tf.Tensor) -> tf.Tensor:
        """Returns which share of each history is of each group, float32 `[batch, groups]`.

        Args:
            items: int64 `[batch, length]`, 0 for none.
        """
        batch = tf.shape(items)[0]
        there = tf.cast(items > 0, tf.float32)
        place = tf.gather(self.group, items) + tf.range(batch)[:, tf.newaxis] * self.count
        total = tf.math.unsorted_segment_sum(
            tf.reshape(there, [-1]), tf.reshape(place, [-1]), batch * self.count
        )
        length = tf.reduce_sum(there, axis=1, keepdims=True)
        return tf.math.divide_no_nan(tf.reshape(total, [batch, self.count]), length)

    def visited(self, items: tf.Tensor) -> tf.Tensor:
        """Returns the share of each item's group, float32 `[batch, num_items + 1]`."""
        return tf.gather(self.shares(items), self.group, axis=1)

    def trending(self, items: tf.Tensor) -> tf.Tensor:
        """Returns what sells at least `LEAST_TREND` better than before, of a shopper's kinds.

        Without a history all kinds are his.

        Args:
            items: int64 `[batch, length]`, 0 for none.

        Returns:
            bool `[batch, num_items + 1]`.
        """
        anybody = tf.reduce_all(items == 0, axis=1, keepdims=True)
        his = tf.logical_or(self.visited(items) > 0.0, anybody)
        return tf.logical_and(his, self.trends)
