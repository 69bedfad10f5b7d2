"""Pinned and promoted products, as tables that a graph reads."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.config import DisplayConfig, SurfaceConfig
from tfrec.errors import UserError

# Between what is missing and what is taken: a pinned product waits for its place.
NOT_YET = -1e5
NOW = 1e6


@dataclass(frozen=True)
class ProductRules:
    """What a surface says of single products; those not in the catalogue are left out.

    Attributes:
        items: int64 `[num_products]`, item indices.
        boosts: float32 `[num_products]`, factors of their values.
        steps: int64 `[num_products]`, the place from 0 at which each must stand if it does not yet;
            -1 for none.
        pinned: bool `[num_products]`, whether it may stand nowhere else.
    """

    items: np.ndarray
    boosts: np.ndarray
    steps: np.ndarray
    pinned: np.ndarray

    @classmethod
    def of(cls, config: SurfaceConfig, item_ids: pd.Series) -> "ProductRules":
        """Finds the products of a surface in the catalogue.

        A promoted product that is due within some places gets the last of them that is free, for
        the case that its value has not brought it forward before.

        Args:
            config: the surface.
            item_ids: `[num_items]`, in the order of the item indices.
        """
        taken = {rule.place for rule in config.pinned}
        rows = [(rule.item_id, 1.0, rule.place - 1, True) for rule in config.pinned]
        due = (rule for rule in config.promoted if rule.within is not None)
        # The latest first: whoever has more room leaves the earlier places to the others.
        places = {}
        for rule in sorted(due, key=lambda rule: rule.within or 0, reverse=True):
            assert rule.within is not None
            place = next(p for p in range(rule.within, 0, -1) if p not in taken)
            taken.add(place)
            places[rule.item_id] = place
        rows += [
            (rule.item_id, rule.boost, places.get(rule.item_id, 0) - 1, False)
            for rule in config.promoted
        ]
        ids, boosts, steps, pinned = zip(*rows, strict=True) if rows else ((), (), (), ())
        index = pd.Index(item_ids).get_indexer(list(ids)) + 1 if rows else np.zeros(0, np.int64)
        known = index > 0
        return cls(
            index[known].astype(np.int64),
            np.array(boosts, np.float32)[known],
            np.array(steps, np.int64)[known],
            np.array(pinned, bool)[known],
        )

    def __len__(self) -> int:
        return len(self.items)

    def found(self, items: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[batch, num_products, num_items]`: which column holds which product.

        Args:
            items: int64 `[batch, num_items]`.
        """
        return tf.cast(items[:, tf.newaxis] == self.items[:, np.newaxis], tf.float32)

    def bonus(self, found: tf.Tensor, steps: int) -> tf.Tensor:
        """Returns what brings products to their places, float32 `[batch, steps, num_items]`.

        Args:
            found: as `found` returns it.
            steps: number of places.
        """
        due = (self.steps[:, np.newaxis] == np.arange(steps)).astype(np.float32)
        table = NOW * due + NOT_YET * self.pinned[:, np.newaxis] * (1.0 - due)
        return tf.einsum("bpn,ps->bsn", found, tf.constant(table, tf.float32))


def check_surfaces(config: DisplayConfig, items: pd.DataFrame, k: int) -> None:
    """Refuses surfaces with a product that cannot be shown.

    Args:
        config: the surfaces.
        items: the item table.
        k: length of an answer.

    Raises:
        UserError: if a product is not in the catalogue or out of stock, or has a place beyond the
            end of an answer.
    """
    available = dict(zip(items["item_id"], items["available"], strict=True))
    _check(config, "display", available, k)
    for name, surface in config.surfaces.items():
        _check(surface, f"display.surfaces.{name}", available, k)


def _check(config: SurfaceConfig, surface: str, available: dict[str, bool], k: int) -> None:
    for kind, rules in (("pinned", config.pinned), ("promoted", config.promoted)):
        for rule in rules:
            if rule.item_id not in available:
                what = "is not in the catalogue"
            elif not available[rule.item_id]:
                what = "is out of stock"
            else:
                continue
            raise UserError(
                f"{surface}.{kind} names the product {rule.item_id!r}, which {what}; take it out "
                "of the configuration, or mend the catalogue"
            )
    last = max([rule.place for rule in config.pinned], default=0)
    last = max([last, *(rule.within or 0 for rule in config.promoted)])
    if last > k:
        raise UserError(
            f"{surface} gives a product the place {last}, but answers have {k} items; raise "
            "export.k or choose an earlier place"
        )
