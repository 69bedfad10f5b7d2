"""The signatures of products that go with products: with one, or with a basket."""

import tensorflow as tf

from tfrec.export.histories import ROWS_OF_TEXT, TEXTS
from tfrec.export.requests import EXCLUDED
from tfrec.export.saving import Signature, Tensors
from tfrec.export.served_items import ServedItems
from tfrec.index.exact import NEVER, hide_items, hide_unavailable
from tfrec.models.recommender import Retriever
from tfrec.surfaces.cart import Cart
from tfrec.surfaces.similar import Similar

BASKET = "basket_item_id"


class CompanionSignatures:
    """Products like a product, and what completes a basket.

    Args:
        items: the item table.
        retriever: the trained model, for the vectors and texts of the items.
        similar: what makes products alike; None where it was not fitted.
        cart: what the orders say; None where it was not fitted.
        k: how many items an answer has.
    """

    def __init__(
        self,
        items: ServedItems,
        retriever: Retriever,
        similar: Similar | None,
        cart: Cart | None,
        k: int,
    ) -> None:
        self._items = items
        self._retriever = retriever
        self._similar = similar
        self._cart = cart
        self._k = k

    @property
    def signatures(self) -> dict[str, Signature]:
        """The signatures of what was fitted, by name."""
        found = {}
        if self._cart is not None:
            inputs = {BASKET: ROWS_OF_TEXT, EXCLUDED: ROWS_OF_TEXT}
            found["cart"] = Signature(self.cart, inputs)
        if self._similar is not None:
            found["similar"] = Signature(self.similar, {"item_id": TEXTS})
        return found

    def similar(self, inputs: Tensors) -> Tensors:
        """Returns the items most like each item, `[batch, k]`; none for an unknown item."""
        assert self._similar is not None, "there is such a signature only where this is fitted"
        items = self._items.indices(inputs["item_id"])
        texts = self._retriever.model.catalogue.text
        scores = self._similar.scores(items, self._retriever.index, texts)
        shown = hide_unavailable(hide_items(scores, items[:, tf.newaxis]), self._items.available)
        shown = tf.where((items > 0)[:, tf.newaxis], shown, NEVER)
        return self._items.best(shown, self._k)

    def cart(self, inputs: Tensors) -> Tensors:
        """Returns what completes each basket, `[batch, k]`.

        Unknown ids in a basket are skipped; a basket without a known item is answered with what
        sells of late.
        """
        assert self._cart is not None, "there is such a signature only where this is fitted"
        basket = self._items.indices(inputs[BASKET])
        hidden = tf.concat([basket, self._items.indices(inputs[EXCLUDED])], axis=1)
        scores = self._cart.scores(basket, self._retriever.index)
        shown = hide_unavailable(hide_items(scores, hidden), self._items.available)
        return self._items.best(shown, self._k)
