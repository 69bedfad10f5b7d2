"""The signatures of the surfaces, which the exported retrieval model offers."""

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
    cart = None if surfaces.cart is None else Cart(surfaces.cart)
    similar = None if surfaces.similar is None else Similar(surfaces.similar)
    signatures |= CompanionSignatures(items, retriever, similar, cart, k).signatures
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
