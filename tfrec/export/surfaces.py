"""The signatures of the surfaces, which the exported models offer."""

from tfrec.export.campaign import CampaignSignatures
from tfrec.export.companions import CompanionSignatures
from tfrec.export.exportable import Exportable
from tfrec.export.histories import HistoryReader
from tfrec.export.home import HomeSignatures
from tfrec.export.item_reader import ItemReader
from tfrec.export.requests import RequestReader
from tfrec.export.saving import Signature
from tfrec.export.search import SearchSignatures
from tfrec.export.served_items import ServedItems
from tfrec.export.shelves import ShelfScores, ShelfSignatures
from tfrec.models.recommender import Recommender, Retriever
from tfrec.surfaces.buy_again import BuyAgain
from tfrec.surfaces.campaign import Campaign
from tfrec.surfaces.cart import Cart
from tfrec.surfaces.search import Search
from tfrec.surfaces.shelves import Shelves
from tfrec.surfaces.similar import Similar
from tfrec.towers.bert.tower import BertTextTower
from tfrec.training.surfaces import Surfaces


class SurfaceSignatures:
    """What the exported models offer of a run's surfaces; nothing where none were fitted.

    Several models answer with the same tables, which are laid out for the catalogue once.

    Args:
        surfaces: what was fitted.
        source: the trained models with their items.
        items: the item table.
        histories: reads histories.
        retriever: the trained retrieval model.
    """

    def __init__(
        self,
        surfaces: Surfaces | None,
        source: Exportable,
        items: ServedItems,
        histories: HistoryReader,
        retriever: Retriever,
    ) -> None:
        self._surfaces = surfaces
        self._source = source
        self._items = items
        self._histories = histories
        self._retriever = retriever
        self._similar: Similar | None = None
        self._scores: ShelfScores | None = None
        if surfaces is not None and surfaces.similar is not None:
            self._similar = Similar(surfaces.similar)
        if surfaces is not None and surfaces.shelves is not None:
            texts = retriever.model.catalogue.text.numpy()[1:]
            shelves = Shelves(surfaces.shelves, texts, source.config.surfaces.home.new_days)
            again = None if surfaces.again is None else BuyAgain(surfaces.again)
            self._scores = ShelfScores(items, retriever, shelves, again)

    def of_retrieval(self, products: ItemReader, text_tower: BertTextTower) -> dict[str, Signature]:
        """Returns what the model `retrieval` offers, by name.

        Args:
            products: reads descriptions of products.
            text_tower: the BERT that the item texts were read with.
        """
        surfaces, items, retriever = self._surfaces, self._items, self._retriever
        if surfaces is None:
            return {}
        k = self._source.config.export.k
        search = Search(self._source.items["text"].tolist(), surfaces.search)
        found = SearchSignatures(
            items, self._histories, products, retriever, text_tower, search, k
        ).signatures
        cart = None if surfaces.cart is None else Cart(surfaces.cart)
        found |= CompanionSignatures(items, retriever, self._similar, cart, k).signatures
        if self._scores is not None:
            requests = RequestReader(items, self._histories, hide_history=False)
            shelves = ShelfSignatures(items, requests, self._scores, k)
            found |= shelves.signatures(with_again=surfaces.again is not None)
        if surfaces.campaign is not None:
            campaign = Campaign(surfaces.campaign)
            found |= CampaignSignatures(self._histories, retriever, text_tower, campaign).signatures
        return found

    def of_recommender(self, recommender: Recommender) -> dict[str, Signature]:
        """Returns what the model `recommender` offers, by name.

        Args:
            recommender: both stages with the display order.
        """
        if self._similar is None or self._scores is None:
            return {}
        config = self._source.config
        hide_history = config.evaluation.repeats == "exclude"
        requests = RequestReader(self._items, self._histories, hide_history)
        return HomeSignatures(
            self._items, requests, recommender, self._scores, self._similar, config.surfaces.home
        ).signatures
