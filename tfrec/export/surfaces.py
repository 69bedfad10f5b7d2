"""The signatures of the surfaces, which the exported retrieval model offers."""

import tensorflow as tf

from tfrec.export.exportable import Exportable
from tfrec.export.histories import ROWS_OF_TEXT, HistoryReader
from tfrec.export.item_reader import ItemReader
from tfrec.export.requests import EXCLUDED
from tfrec.export.saving import Signature, Tensors
from tfrec.export.search import SearchSignatures
from tfrec.export.served_items import ServedItems
from tfrec.index.exact import best_items, hide_items, hide_unavailable
from tfrec.models.recommender import Retriever
from tfrec.surfaces.cart import Cart
from tfrec.surfaces.search import Search
from tfrec.towers.bert.tower import BertTextTower
from tfrec.training.surfaces import Surfaces

BASKET = "basket_item_id"


def surface_signatures(
    source: Exportable,
    items: ServedItems,
    histories: HistoryReader,
    products: ItemReader,
    retriever: Retriever,
    text_tower: BertTextTower,
) -> dict[str, Signature]:
    """Returns the signatures of a run's surfaces; none where none were fitted.

    Args:
        source: the trained models with their items.
        items: the item table.
        histories: reads histories.
        products: reads descriptions of products.
        retriever: the trained retrieval model.
        text_tower: the BERT that the item texts were read with.

    Raises:
        UserError: if they are damaged, or of another retrieval model.
    """
    surfaces = Surfaces.find(source.surfaces_folder, source.retrieval)
    if surfaces is None:
        return {}
    k = source.config.export.k
    search = Search(source.items["text"].tolist(), surfaces.search)
    found = SearchSignatures(items, histories, products, retriever, text_tower, search, k)
    if surfaces.cart is None:
        return found.signatures
    cart = CartSignatures(items, retriever, Cart(surfaces.cart), k)
    return found.signatures | cart.signatures


class CartSignatures:
    """What goes with a basket.

    Args:
        items: the item table.
        retriever: the trained model, for the vectors of the items.
        cart: what the orders say.
        k: how many items an answer has.
    """

    def __init__(self, items: ServedItems, retriever: Retriever, cart: Cart, k: int) -> None:
        self._items = items
        self._retriever = retriever
        self._cart = cart
        self._k = k

    @property
    def signatures(self) -> dict[str, Signature]:
        """Every signature by name."""
        inputs = {BASKET: ROWS_OF_TEXT, EXCLUDED: ROWS_OF_TEXT}
        return {"cart": Signature(self.complete, inputs)}

    def complete(self, inputs: Tensors) -> Tensors:
        """Returns what completes each basket, `[batch, k]`.

        Unknown ids in a basket are skipped; a basket without a known item is answered with what
        sells of late.
        """
        basket = self._items.indices(inputs[BASKET])
        hidden = tf.concat([basket, self._items.indices(inputs[EXCLUDED])], axis=1)
        scores = self._cart.scores(basket, self._retriever.vectors)
        shown = hide_unavailable(hide_items(scores, hidden), self._items.available)
        scores, items = best_items(shown, self._k)
        return {"item_id": self._items.ids(items), "score": scores}
