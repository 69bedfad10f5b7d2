"""What a notebook asks a recommender: recommend, search, similar, cart, explain, embed."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from tfrec.api.answers import Recommendations
from tfrec.api.explanation import explain
from tfrec.api.questions import HistoryLike, search_filters
from tfrec.api.surfaces import SurfaceQuestions
from tfrec.errors import UserError
from tfrec.explaining.explanation import Explanation


class ProductQuestions(SurfaceQuestions):
    """The questions about products and about one shopper."""

    def recommend(
        self,
        history: HistoryLike = (),
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        context: Mapping[str, str] | None = None,
        model: Literal["recommender", "retrieval"] = "recommender",
    ) -> Recommendations:
        """Returns what a shopper may want next, best first.

        Args:
            history: item ids, oldest first; a table with the column `item_id` and, where known,
                `event` and `timestamp`; a `Shopper`; or nothing.
            events: what was done with each item, such as ``"purchase"``; None if not known.
            timestamps: when, in unix seconds; None if not known.
            k: how many items at most.
            exclude: item ids that must not be recommended.
            context: context features, such as ``{"country": "France"}``; a shopper has his own.
            model: both stages, or the first one alone.

        Raises:
            UserError: if nothing is trained, an argument is wrong, or no item of the history is
                in the catalogue.
        """
        asked = self._read(history, events, timestamps, context)
        inputs = {
            **self._models.history_inputs([asked]),
            "exclude_item_id": [list(exclude) or [""]],
        }
        outputs = self._ask(model, "serving_default", inputs, k)
        return self._models.recommendations(outputs, k, "Recommendations", later=asked.later)

    def search(
        self,
        query: str,
        history: HistoryLike = (),
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        k: int = 10,
        categories: Sequence[str] = (),
        price_from: float | None = None,
        price_to: float | None = None,
        include_sold_out: bool = False,
        context: Mapping[str, str] | None = None,
    ) -> Recommendations:
        """Returns the items whose texts fit a query, best first.

        Args:
            query: words, in the language of the product descriptions.
            history: as in `recommend`, if the answer should lean to a shopper's taste.
            events: as in `recommend`.
            timestamps: as in `recommend`.
            k: as in `recommend`.
            categories: only items of one of these, whichever column they are of, such as a brand.
            price_from: only items of this price and above; None for no bound.
            price_to: only items of this price and below; None for no bound.
            include_sold_out: whether items that are not available are shown, too.
            context: as in `recommend`.

        Raises:
            UserError: if nothing is trained, an argument is wrong, or there are filters and the
                run has no surfaces.
        """
        if not query.strip():
            raise UserError("the query is empty; say what to look for")
        asked = self._read(history, events, timestamps, context)
        inputs = {**self._models.history_inputs([asked]), "query": [query]}
        filters = search_filters(categories, price_from, price_to, include_sold_out)
        signature = "filtered_search" if filters else "search"
        if filters:
            self._models.need("retrieval", signature)
        outputs = self._ask("retrieval", signature, inputs | filters, k)
        return self._models.recommendations(outputs, k, f"Found for “{query}”")

    def similar(self, item_id: str, *, k: int = 10) -> Recommendations:
        """Returns the items that are most like an item, best first.

        Raises:
            UserError: if nothing is trained, or the item is not in the catalogue.
        """
        self._need_known([item_id])
        outputs = self._ask("retrieval", "similar", {"item_id": [item_id]}, k)
        return self._models.recommendations(
            outputs, k, f"Like {self._models.title(item_id)} ({item_id})"
        )

    def cart(
        self, basket: Sequence[str], *, k: int = 10, exclude: Sequence[str] = ()
    ) -> Recommendations:
        """Returns what completes a basket, best first.

        Args:
            basket: item ids in any order; unknown ones are skipped.
            k: how many items at most.
            exclude: item ids that must not be recommended; those of the basket never are.

        Raises:
            UserError: if nothing is trained, the run has no surfaces, an argument is wrong, or no
                item of the basket is in the catalogue.
        """
        if isinstance(basket, str):
            raise UserError(f"a basket should be a list of item ids, not the text {basket!r}")
        self._models.need("retrieval", "cart")
        self._need_known(basket)
        inputs: dict[str, object] = {
            "basket_item_id": [list(basket) or [""]],
            "exclude_item_id": [list(exclude) or [""]],
        }
        outputs = self._ask("retrieval", "cart", inputs, k)
        return self._models.recommendations(outputs, k, "Goes with the basket")

    def explain(
        self,
        item_id: str,
        history: HistoryLike = (),
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        context: Mapping[str, str] | None = None,
    ) -> Explanation:
        """Returns which items of a history moved the score of an item, and how far.

        The answer is shown as a sentence and a table; its `figure()` is a picture.

        Args:
            item_id: the item, recommended or not.
            history: as in `recommend`.
            events: as in `recommend`.
            timestamps: as in `recommend`.
            context: as in `recommend`.

        Raises:
            UserError: if nothing is trained, or the item is not in the catalogue.
        """
        return explain(self._models, item_id, self._read(history, events, timestamps, context))

    def embed(
        self,
        history: HistoryLike = (),
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        context: Mapping[str, str] | None = None,
    ) -> np.ndarray:
        """Returns a shopper's unit vector, float32 `[dimension]`: where his history leads.

        Its product with an item's vector is what the retrieval model is mostly made of.

        Args: those of `recommend`.

        Raises:
            UserError: as `recommend`.
        """
        asked = self._read(history, events, timestamps, context)
        inputs = self._models.history_inputs([asked])
        return self._models.ask("retrieval", "embed_query", inputs)["embedding"][0]
