"""What a client can ask of the surfaces of a shop for one shopper."""

from collections.abc import Mapping, Sequence

from serving import tensors
from serving.client import answers, naming, requests
from serving.client.asking import Asking, Wanted
from serving.client.calls import Operation
from serving.client.naming import RETRIEVAL
from serving.client.results import HomePage, Recommendations
from serving.errors import InvalidRequestError

RECOMMENDER = "recommender"


class SurfaceOperations(Asking):
    """The questions about home pages, repeat purchases, other categories and campaigns."""

    def home(
        self,
        history: Sequence[str],
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        now: int | None = None,
        exclude: Sequence[str] = (),
        context: Mapping[str, str] | None = None,
        titles: bool = True,
        strict: bool = True,
        timeout: float | None = None,
    ) -> Operation[HomePage]:
        """Returns the home page of a shopper: several shelves, on which no product stands twice.

        Args:
            history: item ids, oldest first; may be empty.
            events: what the shopper did with each, such as ``"purchase"``; None if not known.
            timestamps: when, in unix seconds; None if not known.
            now: the time at which the page is shown, in unix seconds; None for that of the last
                event. What is due again depends on it.
            exclude: item ids that must not be shown.
            context: values of the model's context features, such as ``{"country": "France"}``.
            titles: whether to ask for names and prices, too (one more call).
            strict: whether a history of unknown items only is an error; only noticed with `titles`.
            timeout: deadline of the whole operation in seconds; None for the client's.

        Returns:
            The shelves as they were configured at the export, the left-out ones without items.

        Raises:
            UnknownItemError: if the history has items and the server knows none of them.
            ModelMissingError: if the models were exported without surfaces.
            ClientError: if an argument is wrong or the server cannot answer.
        """
        deadline = self._deadline(timeout)
        inputs = {
            **requests.shopper(history, events, timestamps, exclude),
            "now": requests.moment(now),
        }
        response = yield from self._schema.predict(
            RECOMMENDER, "home_page", inputs, context or {}, deadline
        )
        version = response.model_spec.version.value
        page = answers.home_page(response.outputs, RECOMMENDER, version)
        if not titles:
            return page
        flat = Recommendations(page.items, RECOMMENDER, version)
        named = yield from naming.with_titles(flat, history, self._address, strict, deadline)
        return page.with_items(named.items, named.unknown)

    def buy_again(
        self,
        history: Sequence[str],
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        now: int | None = None,
        k: int = 10,
        exclude: Sequence[str] = (),
        context: Mapping[str, str] | None = None,
        titles: bool = True,
        strict: bool = True,
        timeout: float | None = None,
    ) -> Operation[Recommendations]:
        """Returns what a shopper buys again, the most likely first.

        The score of an item is the probability that it is bought again in the next days;
        `interval_days` and `due_in_days` say when the next purchase is expected. Items that were
        never bought, or sent back, are none.

        Args:
            history: as in `home`.
            events: as in `home`.
            timestamps: as in `home`; without them nothing is known of intervals.
            now: as in `home`.
            k: how many items at most.
            exclude: item ids that must not be shown.
            context: as in `home`.
            titles: as in `home`.
            strict: as in `home`.
            timeout: as in `home`.

        Raises:
            UnknownItemError: if the history has items and the server knows none of them.
            ModelMissingError: if the log of the models has no repeat purchases, or they were
                exported without surfaces.
            ClientError: if an argument is wrong or the server cannot answer.
        """
        inputs = {
            **requests.shopper(history, events, timestamps, exclude),
            "now": requests.moment(now),
        }
        wanted = Wanted(k, titles, strict, timeout)
        return (
            yield from self._list(
                RETRIEVAL, "buy_again", inputs, wanted, about=history, context=context
            )
        )

    def other_categories(
        self,
        history: Sequence[str],
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        context: Mapping[str, str] | None = None,
        titles: bool = True,
        strict: bool = True,
        timeout: float | None = None,
    ) -> Operation[Recommendations]:
        """Returns products of the kinds that a shopper has not visited yet, best first.

        Args:
            history: as in `home`.
            events: as in `home`.
            timestamps: as in `home`.
            k: how many items at most; of a shopper who knows every kind there are none.
            exclude: item ids that must not be shown.
            context: as in `home`.
            titles: as in `home`.
            strict: as in `home`.
            timeout: as in `home`.

        Raises:
            UnknownItemError: if the history has items and the server knows none of them.
            ModelMissingError: if the models were exported without surfaces.
            ClientError: if an argument is wrong or the server cannot answer.
        """
        inputs = requests.shopper(history, events, timestamps, exclude)
        wanted = Wanted(k, titles, strict, timeout)
        return (
            yield from self._list(
                RETRIEVAL, "other_categories", inputs, wanted, about=history, context=context
            )
        )

    def campaign(
        self,
        creatives: Sequence[str],
        history: Sequence[str],
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        now: int | None = None,
        context: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Operation[list[float]]:
        """Returns the probability that a shopper buys what each text advertises, in their order.

        Args:
            creatives: texts, at least one, in the language of the product descriptions.
            history: as in `home`.
            events: as in `home`.
            timestamps: as in `home`.
            now: as in `home`.
            context: as in `home`.
            timeout: as in `home`.

        Raises:
            ModelMissingError: if the models were exported without campaigns.
            ClientError: if an argument is wrong or the server cannot answer.
        """
        requests.check_list("creatives", creatives, "texts")
        texts = requests.row(creatives)
        if not creatives or not all(text.strip() for text in creatives):
            raise InvalidRequestError("a creative is empty; say what the campaign is about")
        deadline = self._deadline(timeout)
        inputs = {
            **requests.history(history, events, timestamps),
            "creative": texts,
            "now": requests.moment(now),
        }
        response = yield from self._schema.predict(
            RETRIEVAL, "campaign", inputs, context or {}, deadline
        )
        # A server that batches pads rows with fewer texts.
        found = tensors.values_of(response.outputs["probability"])
        return [float(value) for value in found[: len(creatives)]]
