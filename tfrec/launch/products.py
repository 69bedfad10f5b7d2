"""What a shop knows of a product before anyone has bought it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Products:
    """Products on sale and products to come, row by row.

    Attributes:
        item_id: str `[N]`.
        title: str `[N]`.
        price: float `[N]`, NaN where there is none.
        vectors: float32 `[N, D]`, text vectors of a frozen BERT.
    """

    item_id: np.ndarray
    title: np.ndarray
    price: np.ndarray
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.item_id)

    @cached_property
    def log_price(self) -> np.ndarray:
        """Float `[N]`; a missing price is a typical one, as a distance to it must mean nothing."""
        known = self.price[np.isfinite(self.price)]
        typical = float(np.median(known)) if len(known) else 1.0
        return np.log(np.maximum(np.where(np.isfinite(self.price), self.price, typical), 0.01))

    @cached_property
    def id_number(self) -> np.ndarray:
        """Float `[N]`: the first digits of the ids, NaN where an id has none.

        Shops number products as they take them in, so that neighbours in number are often of one
        delivery, and an old number on a product never sold is old stock.
        """
        return np.array([_number(item_id) for item_id in self.item_id])

    def centred(self, rows: np.ndarray) -> "Products":
        """Returns the products with unit vectors around the mean of the products at `rows`.

        All texts of a shop have something in common, which says nothing of any one product.
        """
        shifted = self.vectors - self.vectors[rows].mean(axis=0)
        lengths = np.maximum(np.linalg.norm(shifted, axis=1, keepdims=True), 1e-9)
        return replace(self, vectors=(shifted / lengths).astype(np.float32))


def join(one: Products, other: Products) -> Products:
    """Returns the products of both, those of `other` after those of `one`."""
    return Products(
        item_id=np.concatenate([one.item_id, other.item_id]),
        title=np.concatenate([one.title, other.title]),
        price=np.concatenate([one.price, other.price]),
        vectors=np.concatenate([one.vectors, other.vectors]),
    )


def products(
    item_id: Sequence[str], title: Sequence[str], price: Sequence[float], vectors: np.ndarray
) -> Products:
    """Returns products of plain lists."""
    return Products(
        np.asarray(item_id, dtype=object),
        np.asarray(title, dtype=object),
        np.asarray(price, dtype=float),
        np.asarray(vectors, dtype=np.float32),
    )


def _number(item_id: str) -> float:
    digits = _DIGITS.search(item_id)
    # Longer ones are no count of products, and not exact as a float either.
    return float(digits.group()[:15]) if digits else np.nan
