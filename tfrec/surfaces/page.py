"""A page of several shelves on which no product stands twice."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tfrec.config import ShelfConfig
from tfrec.index.exact import best_items, hide_items

FULL, SHORT, FILLED, LEFT_OUT = "full", "short", "filled", "left_out"
STATES = (FULL, SHORT, FILLED, LEFT_OUT)
"""How a shelf came to be: as wanted; with fewer products than wanted; with products of the first
shelf in the last places, as it had fewer than the least; or not at all."""


class Page(NamedTuple):
    """The shelves of a page, in the order in which they stand.

    Attributes:
        items: int64 `[batch, shelves, places]`, 0 where there is no product; every shelf is as wide
            as the widest.
        scores: float32 `[batch, shelves, places]`, what each product was chosen by there.
        own: bool `[batch, shelves, places]`, false where another shelf's product fills a place.
        states: int32 `[batch, shelves]`, positions in `STATES`.
    """

    items: tf.Tensor
    scores: tf.Tensor
    own: tf.Tensor
    states: tf.Tensor


def fill_page(
    shelves: Sequence[ShelfConfig], scores: Sequence[tf.Tensor], others: tf.Tensor
) -> Page:
    """Fills one shelf after another with the best products that no earlier one has.

    A shelf with fewer products than its minimum is filled up to it with `others`, or left out, as
    it says; one without any product of its own is always left out.

    Args:
        shelves: what is wanted, from the top of the page.
        scores: float32 `[batch, num_items + 1]` for each; `NEVER` where a product is none for it.
        others: the same, what fills gaps.
    """
    width = max(shelf.products for shelf in shelves)
    taken = tf.zeros([tf.shape(others)[0], 1], tf.int64)
    rows = []
    for shelf, own_scores in zip(shelves, scores, strict=True):
        row = _shelf(shelf, hide_items(own_scores, taken), hide_items(others, taken))
        taken = tf.concat([taken, row.items], axis=1)
        missing = [[0, 0], [0, width - shelf.products]]
        rows.append(
            row._replace(
                items=tf.pad(row.items, missing),
                scores=tf.pad(row.scores, missing),
                own=tf.pad(row.own, missing),
            )
        )
    return Page(*(tf.stack(values, axis=1) for values in zip(*rows, strict=True)))


def _shelf(shelf: ShelfConfig, scores: tf.Tensor, others: tf.Tensor) -> Page:
    """Returns one shelf: `[batch, products]` each, and its state `[batch]`."""
    values, items = best_items(scores, shelf.products)
    found = tf.math.count_nonzero(items, axis=1, dtype=tf.int32)
    own = items > 0
    wanted, least = shelf.products, min(shelf.minimum, shelf.products)
    state = tf.where(found == wanted, STATES.index(FULL), STATES.index(SHORT))
    few = found < least
    shown = found > 0
    if shelf.when_short == "leave_out":
        shown = tf.logical_not(few)
    elif least > 1:
        fill_values, fill = best_items(hide_items(others, items), least)
        step = tf.range(wanted)[tf.newaxis] - found[:, tf.newaxis]
        gap = tf.logical_and(step >= 0, tf.range(wanted)[tf.newaxis] < least)
        place = tf.clip_by_value(step, 0, least - 1)
        items = tf.where(gap, tf.gather(fill, place, batch_dims=1), items)
        values = tf.where(gap, tf.gather(fill_values, place, batch_dims=1), values)
        state = tf.where(few, STATES.index(FILLED), state)
    keep = shown[:, tf.newaxis]
    items = tf.where(keep, items, 0)
    there = items > 0
    return Page(
        items,
        tf.where(there, values, 0.0),
        tf.logical_and(own, there),
        tf.where(shown, state, STATES.index(LEFT_OUT)),
    )
