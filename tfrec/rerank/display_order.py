"""The order in which ranked items are shown on a surface of the shop."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.config import SurfaceConfig
from tfrec.data.schema import MARGIN
from tfrec.errors import UserError
from tfrec.index.item_vectors import ItemVectors
from tfrec.rerank.caps import Caps
from tfrec.rerank.diversity import (
    ByRelevance,
    Criterion,
    DeterminantalPointProcess,
    MaximalMarginalRelevance,
    likeness,
)
from tfrec.rerank.exploration import exploration_bonus, exploring
from tfrec.rerank.greedy import choose
from tfrec.rerank.rules import ProductRules
from tfrec.rerank.value import margin_factors

RANKED, PINNED, PROMOTED, EXPLORED, OVER_CAP = (
    "ranked",
    "pinned",
    "promoted",
    "explored",
    "over_cap",
)
PLACEMENTS = ("", RANKED, PINNED, PROMOTED, EXPLORED, OVER_CAP)
"""Why an item stands where it does; "" where there is none."""

METHODS: dict[str, Callable[[float], Criterion]] = {
    "mmr": MaximalMarginalRelevance,
    "dpp": DeterminantalPointProcess,
}
WORTH_NOTHING = -1.0
# More than any value, so that a product with a place is among those that are arranged.
WITH_A_PLACE = 1e6


class Arranged(NamedTuple):
    """Columns in display order, `[batch, num_items]`, and why each stands there.

    Attributes:
        order: int32, columns of the items that were arranged.
        placement: int32, positions in `PLACEMENTS`.
    """

    order: tf.Tensor
    placement: tf.Tensor


class DisplayOrder(tf.Module):
    """Arranges the first places of a list by value, diversity and the rules of a surface.

    The best `depth` items by value compete for the first `places`; all others follow by value.

    Args:
        config: the surface.
        items: the item table.
        categories: int `[num_items + 1, max_values]` by categorical column, row 0 unused.

    Raises:
        UserError: if a cap is set on a column that is none of `categories`, or a margin is wanted
            of a catalogue without one.
    """

    def __init__(
        self, config: SurfaceConfig, items: pd.DataFrame, categories: Mapping[str, tf.Variable]
    ) -> None:
        super().__init__(name="display_order")
        for column in config.caps:
            if column not in categories:
                known = f"those are {', '.join(categories)}" if categories else "it has none"
                raise UserError(
                    f"display.caps names the column `{column}`, which is no categorical column of "
                    f"the data set; {known}"
                )
        self.config = config
        self.rules = ProductRules.of(config, items["item_id"])
        self._capped = {column: categories[column] for column in config.caps}
        self._margin: tf.Variable | None = None
        if config.margin_power:
            if MARGIN not in items:
                raise UserError(
                    f"display.margin_power needs a catalogue with a column `{MARGIN}`; add it and "
                    "prepare the data set again, or set margin_power to 0"
                )
            factors = margin_factors(items[MARGIN].to_numpy(float), config.margin_power)
            self._margin = tf.Variable(np.append(np.float32(0), factors), trainable=False)

    @classmethod
    def of(
        cls, config: SurfaceConfig, items: pd.DataFrame, categories: Mapping[str, tf.Variable]
    ) -> "DisplayOrder | None":
        """Returns the display order of a surface, `None` where the ranking model alone decides."""
        return cls(config, items, categories) if config.arranges else None

    def products(
        self, items: tf.Tensor, hidden: tf.Tensor, available: tf.Tensor | None
    ) -> tf.Tensor:
        """Returns the surface's own products that are not among the items already.

        Args:
            items: int64 `[batch, num_items]`.
            hidden: int64 `[batch, count]`, items not to be shown.
            available: bool `[num_items + 1]`, items in stock; `None` for all.

        Returns:
            int64 `[batch, num_products]`, 0 where a product is not to be added.
        """
        own = tf.constant(self.rules.items)[tf.newaxis, :, tf.newaxis]
        present = tf.reduce_any(own == tf.concat([items, hidden], axis=1)[:, tf.newaxis], axis=2)
        usable = ~present
        if available is not None:
            usable = tf.logical_and(tf.gather(available, self.rules.items), usable)
        return tf.where(usable, tf.constant(self.rules.items), tf.constant(0, tf.int64))

    def values(self, items: tf.Tensor, task_values: tf.Tensor) -> tf.Tensor:
        """Returns what showing each item is worth here, float32 `[batch, num_items]`.

        Args:
            items: int64 `[batch, num_items]`; 0 for none, which is worth less than any item.
            task_values: float32 `[batch, num_items]`, from the probabilities of events.
        """
        values = task_values
        if self._margin is not None:
            values *= tf.gather(self._margin, items)
        if len(self.rules):
            boosts = tf.constant(self.rules.boosts - 1.0)
            values *= 1.0 + tf.einsum("bpn,p->bn", self.rules.found(items), boosts)
        return tf.where(items > 0, values, WORTH_NOTHING)

    def __call__(
        self, items: tf.Tensor, values: tf.Tensor, vectors: ItemVectors, seeds: tf.Tensor, most: int
    ) -> Arranged:
        """Arranges items.

        Args:
            items: int64 `[batch, num_items]`; 0 for none.
            values: float32 `[batch, num_items]`, as `values` returns them.
            vectors: unit vectors of the catalogue.
            seeds: string `[batch]`; the same seed leaves the same to chance.
            most: length of the lists that are shown.
        """
        width = items.shape[1]
        assert width is not None, "the number of candidates is fixed"
        first = values
        if len(self.rules):
            placed = tf.constant((self.rules.steps >= 0).astype(np.float32))
            first += WITH_A_PLACE * tf.einsum("bpn,p->bn", self.rules.found(items), placed)
        _, by_value = tf.math.top_k(first, k=width)
        depth = min(self.config.depth, width)
        steps = min(self.config.places, depth, most)
        head = by_value[:, :depth]
        picks, placement = self._arrange(
            tf.gather(items, head, batch_dims=1),
            tf.gather(values, head, batch_dims=1),
            vectors,
            seeds,
            steps,
        )
        return self._with_the_rest(items, by_value, picks, placement)

    def _arrange(
        self,
        items: tf.Tensor,
        values: tf.Tensor,
        vectors: ItemVectors,
        seeds: tf.Tensor,
        steps: int,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns columns and placements of the first places, int32 `[batch, steps]`."""
        bonus, chance, found = None, None, None
        if len(self.rules):
            found = self.rules.found(items)
            bonus = self.rules.bonus(found, steps)
        if self.config.exploration_share:
            chance = exploring(seeds, steps, self.config.exploration_share)
            noise = exploration_bonus(seeds, items, chance)
            bonus = noise if bonus is None else bonus + noise
        caps = None
        if self._capped:
            values_of = {name: tf.gather(table, items) for name, table in self._capped.items()}
            caps = Caps(values_of, self.config.caps)
        picks, broken = choose(
            relevance(values),
            likeness(vectors.rows(items)) if self.config.diversifies else None,
            items > 0,
            self._criterion(),
            steps,
            caps,
            bonus,
        )
        return picks, self._placement(items, picks, broken, chance, found)

    def _criterion(self) -> Criterion:
        if not self.config.diversifies:
            return ByRelevance()
        return METHODS[self.config.method](self.config.trade_off)

    def _placement(
        self,
        items: tf.Tensor,
        picks: tf.Tensor,
        broken: tf.Tensor,
        chance: tf.Tensor | None,
        found: tf.Tensor | None,
    ) -> tf.Tensor:
        """Returns int32 `[batch, steps]`; a rule of its own explains an item before the others."""

        def code(name: str) -> tf.Tensor:
            return tf.constant(PLACEMENTS.index(name))

        placement = tf.fill(tf.shape(picks), code(RANKED))
        if chance is not None:
            placement = tf.where(chance, code(EXPLORED), placement)
        placement = tf.where(broken, code(OVER_CAP), placement)
        if found is not None:
            own = tf.gather(tf.transpose(found, [0, 2, 1]), picks, batch_dims=1)
            for name, chosen in ((PROMOTED, ~self.rules.pinned), (PINNED, self.rules.pinned)):
                ours = tf.einsum("bsp,p->bs", own, tf.constant(chosen.astype(np.float32))) > 0
                placement = tf.where(ours, code(name), placement)
        return tf.where(tf.gather(items, picks, batch_dims=1) > 0, placement, code(""))

    def _with_the_rest(
        self, items: tf.Tensor, by_value: tf.Tensor, picks: tf.Tensor, placement: tf.Tensor
    ) -> Arranged:
        width, steps = by_value.shape[1], picks.shape[1]
        assert width is not None and steps is not None
        taken = tf.reduce_max(tf.one_hot(picks, width, dtype=tf.int32), axis=1)
        # Columns that are not taken, in the order that they have.
        _, rest = tf.math.top_k(-width * taken - tf.range(width), k=width - steps)
        order = tf.gather(by_value, tf.concat([picks, rest], axis=1), batch_dims=1)
        shown = tf.gather(items, order, batch_dims=1)
        ranked = tf.cast(shown[:, steps:] > 0, tf.int32) * PLACEMENTS.index(RANKED)
        placement = tf.concat([placement, ranked], axis=1)
        if self.rules.pinned.any():
            # A pinned product beyond the last item that there is moves up to it.
            gaps = tf.argsort(tf.cast(shown == 0, tf.int32), axis=1, stable=True)
            order = tf.gather(order, gaps, batch_dims=1)
            placement = tf.gather(placement, gaps, batch_dims=1)
        return Arranged(order, placement)


def relevance(values: tf.Tensor) -> tf.Tensor:
    """Returns values as shares of the largest one of their list, float32 `[batch, num_items]`."""
    best = tf.reduce_max(values, axis=1, keepdims=True)
    return tf.maximum(tf.math.divide_no_nan(values, best), 0.0)
