"""What a client can ask, written once for the blocking and the asynchronous client."""

from collections.abc import Mapping, Sequence

from serving import tensors
from serving.client import answers, calls, naming, requests
from serving.client.asking import Wanted
from serving.client.calls import Operation
from serving.client.naming import RETRIEVAL
from serving.client.results import Item, ModelVersion, Recommendations
from serving.client.surfaces import RECOMMENDER, SurfaceOperations
from serving.errors import InvalidRequestError, ModelMissingError

RANKING = "ranking"
SERVING_DEFAULT = "serving_default"


class Operations(SurfaceOperations):
    """The questions to one server, as generators that a connection runs."""

    def recommend(
        self,
        history: Sequence[str],
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        context: Mapping[str, str] | None = None,
        model: str = RECOMMENDER,
        surface: str | None = None,
        seed: str | None = None,
        titles: bool = True,
        strict: bool = True,
        timeout: float | None = None,
    ) -> Operation[Recommendations]:
        """Returns what a shopper with this history may want next, best first.

        Args:
            history: item ids, oldest first; may be empty.
            events: what the shopper did with each, such as ``"purchase"``; None if not known.
            timestamps: when, in unix seconds; None if not known.
            k: how many items at most. The model answers with a fixed number, usually 100.
            exclude: item ids that must not be recommended.
            context: values of the model's context features, such as ``{"country": "France"}``.
            model: ``"recommender"`` (retrieval, ranking and display order) or ``"retrieval"``.
            surface: a named display order of the recommender, from ``display.surfaces`` of the
                configuration that it was exported with; None for its usual one.
            seed: of what the surface leaves to chance, such as a visit: the same one leaves the
                same to chance. None for length and last item of the history.
            titles: whether to ask for names and prices, too (one more call).
            strict: whether a history of unknown items only is an error; otherwise it is answered
                like an empty one. Only noticed with `titles`.
            timeout: deadline of the whole operation in seconds; None for the client's.

        Returns:
            At most `k` recommendations.

        Raises:
            UnknownItemError: if the history has items and the server knows none of them.
            ModelMissingError: if the models were exported without the surface.
            ClientError: if an argument is wrong or the server cannot answer.
        """
        inputs = requests.shopper(history, events, timestamps, exclude)
        if surface is not None:
            if model != RECOMMENDER:
                raise InvalidRequestError(
                    f"the surface {surface} is a display order, which the model {model} has none "
                    f"of; ask the model {RECOMMENDER}"
                )
            if seed is None:
                seed = f"{len(history)} {history[-1] if history else ''}"
            inputs["seed"] = requests.column([seed])
        wanted = Wanted(k, titles, strict, timeout)
        return (
            yield from self._list(
                model, surface or SERVING_DEFAULT, inputs, wanted, about=history, context=context
            )
        )

    def search(
        self,
        query: str,
        history: Sequence[str] = (),
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        k: int = 10,
        categories: Sequence[str] = (),
        price_from: float | None = None,
        price_to: float | None = None,
        include_sold_out: bool = False,
        context: Mapping[str, str] | None = None,
        titles: bool = True,
        timeout: float | None = None,
    ) -> Operation[Recommendations]:
        """Returns the items that fit a text, best first.

        Args:
            query: words, in the language of the product descriptions.
            history: item ids of the shopper, oldest first, if the answer should lean to them.
            events: as in `recommend`.
            timestamps: as in `recommend`.
            k: how many items at most.
            categories: only items of one of these, whichever column they are of, such as a brand.
            price_from: only items of this price and above; None for no bound.
            price_to: only items of this price and below; None for no bound.
            include_sold_out: whether items that are not available are shown, too.
            context: as in `recommend`.
            titles: as in `recommend`.
            timeout: as in `recommend`.

        Raises:
            ModelMissingError: if there are filters, and the models were exported without surfaces.
            ClientError: if an argument is wrong or the server cannot answer.
        """
        words = requests.text("query", query)
        if not query.strip():
            raise InvalidRequestError("the query is empty; say what to look for")
        inputs = {
            "query": words,
            **requests.history(history, events, timestamps),
        }
        filters = requests.filters(categories, price_from, price_to, include_sold_out)
        signature = "filtered_search" if filters else "search"
        inputs |= filters
        wanted = Wanted(k, titles, True, timeout)
        return (yield from self._list(RETRIEVAL, signature, inputs, wanted, context=context))

    def similar(
        self, item_id: str, *, k: int = 10, titles: bool = True, timeout: float | None = None
    ) -> Operation[Recommendations]:
        """Returns the items that are most like an item, best first.

        Raises:
            UnknownItemError: if the server does not know the item (only noticed with `titles`).
            ClientError: if an argument is wrong or the server cannot answer.
        """
        inputs = {"item_id": requests.column([item_id])}
        wanted = Wanted(k, titles, True, timeout)
        return (yield from self._list(RETRIEVAL, "similar", inputs, wanted, about=(item_id,)))

    def cart(
        self,
        basket: Sequence[str],
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        titles: bool = True,
        strict: bool = True,
        timeout: float | None = None,
    ) -> Operation[Recommendations]:
        """Returns what completes a basket, best first.

        Args:
            basket: item ids in any order; unknown ones are skipped. An empty basket is answered
                with what sells of late.
            k: how many items at most.
            exclude: item ids that must not be recommended; those of the basket never are.
            titles: as in `recommend`.
            strict: whether a basket of unknown items only is an error; only noticed with `titles`.
            timeout: as in `recommend`.

        Raises:
            UnknownItemError: if the basket has items and the server knows none of them.
            ModelMissingError: if the models were exported without surfaces.
            ClientError: if an argument is wrong or the server cannot answer.
        """
        requests.check_list("a basket", basket)
        requests.check_list("exclude", exclude)
        inputs = {
            "basket_item_id": requests.row(basket),
            "exclude_item_id": requests.row(exclude),
        }
        wanted = Wanted(k, titles, strict, timeout)
        return (yield from self._list(RETRIEVAL, "cart", inputs, wanted, about=basket))

    def rank(
        self,
        history: Sequence[str],
        candidates: Sequence[str],
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        context: Mapping[str, str] | None = None,
        titles: bool = False,
        timeout: float | None = None,
    ) -> Operation[Recommendations]:
        """Returns the candidates in the order in which the shopper may want them.

        Args:
            history: as in `recommend`.
            candidates: item ids to order, at least one.
            events: as in `recommend`.
            timestamps: as in `recommend`.
            context: as in `recommend`.
            titles: as in `recommend`.
            timeout: as in `recommend`.

        Returns:
            Every candidate, best first, with its score and probabilities.

        Raises:
            ClientError: if an argument is wrong or the server cannot answer.
        """
        deadline = self._deadline(timeout)
        requests.check_list("candidates", candidates)
        if not candidates:
            raise InvalidRequestError("there is no candidate to rank; give at least one item id")
        inputs = {
            **requests.history(history, events, timestamps),
            "candidate_item_id": requests.row(candidates),
        }
        response = yield from self._schema.predict(
            RANKING, SERVING_DEFAULT, inputs, context or {}, deadline
        )
        outputs = {**response.outputs, "item_id": inputs["candidate_item_id"]}
        items = answers.recommendations(outputs, len(candidates))
        best_first = sorted(items, key=lambda item: item.score, reverse=True)
        answer = Recommendations(tuple(best_first), RANKING, response.model_spec.version.value)
        if not titles:
            return answer
        return (yield from naming.with_titles(answer, history, self._address, True, deadline))

    def describe(
        self, item_ids: Sequence[str], *, timeout: float | None = None
    ) -> Operation[list[Item]]:
        """Returns what the server knows of each item, in the order given.

        Raises:
            ClientError: if the argument is wrong or the server cannot answer.
        """
        requests.check_list("what to describe", item_ids)
        return (yield from naming.describe(item_ids, self._deadline(timeout)))

    def embed(
        self,
        history: Sequence[str],
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        context: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Operation[list[float]]:
        """Returns a shopper's unit vector, whose dot product with an item's is its score.

        Raises:
            ClientError: if an argument is wrong or the server cannot answer.
        """
        deadline = self._deadline(timeout)
        inputs = requests.history(history, events, timestamps)
        response = yield from self._schema.predict(
            RETRIEVAL, "embed_query", inputs, context or {}, deadline
        )
        return tensors.values_of(response.outputs["embedding"])

    def embed_item(
        self,
        title: str,
        *,
        price: float | None = None,
        timeout: float | None = None,
        **columns: str | Sequence[float],
    ) -> Operation[list[float]]:
        """Returns the unit vector of an item that need not be in the catalogue.

        Args:
            title: the item's name.
            price: its price; None if not known.
            timeout: as in `recommend`.
            **columns: other texts that the model reads, such as ``description``, ``brand`` and
                ``categories``, and vectors, such as ``image_embedding``; an item may do without.

        Raises:
            InvalidRequestError: if the model reads no such column, or other values in it.
            ClientError: if the server cannot answer.
        """
        deadline = self._deadline(timeout)
        accepted = yield from self._schema.inputs(RETRIEVAL, "embed_item", deadline)
        unknown = sorted(columns.keys() - accepted.keys())
        if unknown:
            raise InvalidRequestError(
                f"the model reads no column {', '.join(unknown)}; it reads "
                f"{', '.join(sorted(accepted))}"
            )
        inputs = {
            name: requests.vector(name, columns.get(name, ()), width)
            if width
            else requests.text(name, columns.get(name, ""))
            for name, width in accepted.items()
        }
        inputs["title"] = requests.text("title", title)
        if "price" in accepted:
            inputs["price"] = requests.price(price)
        response = yield from calls.predict(RETRIEVAL, "embed_item", inputs, deadline)
        return tensors.values_of(response.outputs["embedding"])

    def models(
        self,
        names: Sequence[str] = (RECOMMENDER, RETRIEVAL, RANKING),
        *,
        timeout: float | None = None,
    ) -> Operation[list[ModelVersion]]:
        """Returns every version of the named models that the server has seen, newest first.

        Names that the server does not serve are left out.

        Raises:
            ClientError: if the server cannot answer.
        """
        deadline = self._deadline(timeout)
        versions: list[ModelVersion] = []
        for name in names:
            try:
                statuses = yield from calls.status(name, deadline)
            except ModelMissingError:
                continue
            versions.extend(answers.model_versions(name, statuses))
        return versions
