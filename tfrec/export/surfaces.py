"""The signatures of the surfaces, which the exported retrieval model offers."""

import tensorflow as tf

from tfrec.export.campaign import CampaignSignatures
from tfrec.export.exportable import Exportable
from tfrec.export.histories import ROWS_OF_TEXT, TEXTS, HistoryReader
from tfrec.export.home import HomeSignatures
from tfrec.export.item_reader import ItemReader
from tfrec.export.requests import EXCLUDED, RequestReader
from tfrec.export.saving import Signature, Tensors
from tfrec.export.search import SearchSignatures
from tfrec.export.served_items import ServedItems
from tfrec.export.shelves import ShelfScores, ShelfSignatures
from tfrec.index.exact import NEVER, best_items, hide_items, hide_unavailable
from tfrec.models.recommender import Recommender, Retriever
from tfrec.surfaces.buy_again import BuyAgain
from tfrec.surfaces.campaign import Campaign
from tfrec.surfaces.cart import Cart
from tfrec.surfaces.search import Search
from tfrec.surfaces.shelves import Shelves
from tfrec.surfaces.similar import Similar
from tfrec.towers.bert.tower import BertTextTower
from tfrec.training.surfaces import Surfaces

BASKET = "basket_item_id"


def surface_signatures(
    surfaces: Surfaces | None,
    source: Exportable,
    items: ServedItems,
    histories: HistoryReader,
    products: ItemReader,
    retriever: Retriever,
    text_tower: BertTextTower,
) -> dict[str, Signature]:
    """Returns the signatures of a run's surfaces; none where none were fitted.

    Args:
        surfaces: what was fitted.
        source: the trained models with their items.
        items: the item table.
        histories: reads histories.
        products: reads descriptions of products.
        retriever: the trained retrieval model.
        text_tower: the BERT that the item texts were read with.
    """
    if surfaces is None:
        return {}
    k = source.config.export.k
    search = Search(source.items["text"].tolist(), surfaces.search)
    found = SearchSignatures(items, histories, products, retriever, text_tower, search, k)
    signatures = found.signatures
    if surfaces.cart is not None:
        signatures |= CartSignatures(items, retriever, Cart(surfaces.cart), k).signatures
    if surfaces.similar is not None:
        similar = SimilarSignatures(items, retriever, Similar(surfaces.similar), k)
        signatures |= similar.signatures
    scores = shelf_scores(surfaces, source, items, retriever)
    if scores is not None:
        requests = RequestReader(items, histories, hide_history=False)
        shelves = ShelfSignatures(items, requests, scores, k)
        signatures |= shelves.signatures(with_again=surfaces.again is not None)
    if surfaces.campaign is not None:
        campaign = Campaign(surfaces.campaign)
        signatures |= CampaignSignatures(histories, retriever, text_tower, campaign).signatures
    return signatures


def home_signatures(
    surfaces: Surfaces | None,
    source: Exportable,
    items: ServedItems,
    histories: HistoryReader,
    recommender: Recommender,
) -> dict[str, Signature]:
    """Returns the signature of the home page; none where no surfaces were fitted.

    Args:
        surfaces: what was fitted.
        source: the trained models with their items.
        items: the item table.
        histories: reads histories.
        recommender: both stages with the display order.
    """
    if surfaces is None or surfaces.similar is None:
        return {}
    scores = shelf_scores(surfaces, source, items, recommender.retriever)
    if scores is None:
        return {}
    requests = RequestReader(items, histories, source.config.evaluation.repeats == "exclude")
    similar, config = Similar(surfaces.similar), source.config.surfaces.home
    return HomeSignatures(items, requests, recommender, scores, similar, config).signatures


def shelf_scores(
    surfaces: Surfaces, source: Exportable, items: ServedItems, retriever: Retriever
) -> ShelfScores | None:
    """Returns what scores the catalogue for shelves, `None` where it was not fitted."""
    if surfaces.shelves is None:
        return None
    texts = retriever.model.catalogue.text.numpy()[1:]
    shelves = Shelves(surfaces.shelves, texts, source.config.surfaces.home.new_days)
    again = None if surfaces.again is None else BuyAgain(surfaces.again)
    return ShelfScores(items, retriever, shelves, again)


class SimilarSignatures:
    """Products like a product.

    Args:
        items: the item table.
        retriever: the trained model, for the vectors and texts of the items.
        similar: what makes products alike.
        k: how many items an answer has.
    """

    def __init__(self, items: ServedItems, retriever: Retriever, similar: Similar, k: int) -> None:
        self._items = items
        self._retriever = retriever
        self._similar = similar
        self._k = k

    @property
    def signatures(self) -> dict[str, Signature]:
        """Every signature by name."""
        return {"similar": Signature(self.similar, {"item_id": TEXTS})}

    def similar(self, inputs: Tensors) -> Tensors:
        """Returns the items most like each item, `[batch, k]`; none for an unknown item."""
        items = self._items.indices(inputs["item_id"])
        texts = self._retriever.model.catalogue.text
        scores = self._similar.scores(items, self._retriever.vectors, texts)
        shown = hide_unavailable(hide_items(scores, items[:, tf.newaxis]), self._items.available)
        shown = tf.where((items > 0)[:, tf.newaxis], shown, NEVER)
        scores, found = best_items(shown, self._k)
        return {"item_id": self._items.ids(found), "score": scores}


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
