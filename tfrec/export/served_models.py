"""The functions that the exported models offer, and what they read."""

from pathlib import Path

import tensorflow as tf

from tfrec.explaining.word_reasons import WordReasons
from tfrec.explaining.words import Words
from tfrec.export.exportable import Exportable
from tfrec.export.histories import HistoryReader
from tfrec.export.item_reader import ItemReader
from tfrec.export.profiles import profile_signatures
from tfrec.export.ranking import RankingSignatures
from tfrec.export.recommender import DEFAULT, RecommenderSignatures, surfaces_of
from tfrec.export.retrieval import RetrievalSignatures
from tfrec.export.saving import Signature
from tfrec.export.served_items import ServedItems
from tfrec.export.surfaces import SurfaceSignatures
from tfrec.models.recommender import Recommender, Retriever
from tfrec.rerank.display_order import DisplayOrder
from tfrec.towers.bert.weights import BertFiles
from tfrec.training.retrieval import text_tower_of
from tfrec.training.surfaces import Surfaces


class ServedModels:
    """Trained models as their clients see them: by model and signature.

    Args:
        source: the trained models with their items.
        bert: the BERT that a frozen text policy reads with.
        scratch: folder for the assets; it must exist as long as this is used.

    Raises:
        UserError: if the surfaces are damaged, or of another retrieval model.

    Attributes:
        signatures: the signatures of each model, by name.
        tables: what else a SavedModel of each model must hold.
    """

    def __init__(self, source: Exportable, bert: BertFiles, scratch: Path) -> None:
        k = source.config.export.k
        hide_history = source.config.evaluation.repeats == "exclude"
        items = ServedItems(source.items, scratch)
        histories = HistoryReader(items, source.retrieval.spec)
        products = ItemReader(source.config.data, source.retrieval.spec, source.items)
        text_tower = text_tower_of(source.retrieval, bert, source.config.text.max_tokens)
        fitted = Surfaces.find(source.surfaces_folder, source.retrieval)
        opening = None if fitted is None or fitted.opening is None else fitted.opening.values
        retriever = Retriever(source.retrieval, opening, source.config.export.item_vectors)
        categories = source.retrieval.catalogue.categories
        words = WordReasons(
            Words.of(source.items["text"].tolist()),
            source.retrieval.catalogue.text.numpy(),
            retriever.vectors.numpy(),
            source.retrieval.item_tower.text_projection.numpy(),
        )
        candidates = max(k, source.config.ranking.candidates)
        surfaces = {
            name: Recommender(
                retriever,
                source.ranker,
                candidates,
                DisplayOrder.of(surface, source.items, categories),
            )
            for name, surface in surfaces_of(source.config.display).items()
        }
        of_surfaces = SurfaceSignatures(fitted, source, items, histories, retriever)
        self.signatures: dict[str, dict[str, Signature]] = {
            "retrieval": RetrievalSignatures(
                items, histories, products, retriever, text_tower, k, hide_history
            ).signatures
            | of_surfaces.of_retrieval(products, text_tower)
            | profile_signatures(source, histories, retriever),
            "ranking": RankingSignatures(items, histories, retriever, source.ranker).signatures,
            "recommender": RecommenderSignatures(
                items, histories, words, surfaces, k, hide_history
            ).signatures
            | of_surfaces.of_recommender(surfaces[DEFAULT]),
        }
        self.tables: dict[str, list[tf.Module]] = {
            "retrieval": [items, histories, products, text_tower.tokenizer],
            "ranking": [items, histories],
            "recommender": [items, histories],
        }
