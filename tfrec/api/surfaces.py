"""The surfaces of a shop as a notebook asks for them, for one shopper."""

from collections.abc import Mapping, Sequence

import pandas as pd

from tfrec.api.answers import Recommendations
from tfrec.api.asking import Asking
from tfrec.api.local_models import Outputs
from tfrec.api.questions import AskedHistory, HistoryLike
from tfrec.errors import UserError

Context = Mapping[str, str] | None


class SurfaceQuestions(Asking):
    """Home page, repeat purchases, other categories and campaigns of a recommender.

    Every question raises `UserError` if nothing is trained, the run has no such surface, or no item
    of the history is in the catalogue.
    """

    def home(
        self,
        history: HistoryLike = (),
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        now: int | None = None,
        exclude: Sequence[str] = (),
        context: Context = None,
    ) -> dict[str, Recommendations]:
        """Returns the shelves of a shopper's page from the top, without those that are left out.

        Args:
            history: as in `recommend`.
            events: as in `recommend`.
            timestamps: as in `recommend`.
            now: unix time at which the page is shown; None for that of the last event.
            exclude: item ids that must not be shown.
            context: as in `recommend`.
        """
        asked = self._read(history, events, timestamps, context)
        more = {"now": _moment(now), "exclude_item_id": _row(exclude)}
        outputs = self._ask_surface("recommender", "home_page", asked, more)
        shelves = {}
        for place, kind in enumerate(outputs["shelf"][0].tolist()):
            line = {name: outputs[name][:, place] for name in ("item_id", "score")}
            because = outputs["reason_item_id"][0, place]
            title = f"Because of {self._models.title(because)}" if because else kind
            answer = self._models.recommendations(line, line["item_id"].shape[1], title)
            if len(answer):
                shelves[kind] = answer
        return shelves

    def buy_again(
        self,
        history: HistoryLike,
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        now: int | None = None,
        k: int = 10,
        context: Context = None,
    ) -> pd.DataFrame:
        """Returns what a shopper buys again, the most likely first.

        Args:
            history: as in `recommend`.
            events: as in `recommend`.
            timestamps: as in `recommend`.
            now: as in `home`.
            k: how many items at most.
            context: as in `recommend`.

        Returns:
            A row an item: `item_id`, `title`, `price`, `probability` of the next days,
            `interval_days` between two purchases, `due_in_days` until the next.
        """
        asked = self._read(history, events, timestamps, context)
        more = {"now": _moment(now), "exclude_item_id": _row(())}
        outputs = self._ask_surface("retrieval", "buy_again", asked, more)
        ids = [item for item in outputs["item_id"][0][:k].tolist() if item]
        return pd.DataFrame(
            {
                "item_id": ids,
                "title": [self._models.title(item) for item in ids],
                "price": [self._models.price(item) for item in ids],
                "probability": outputs["score"][0][: len(ids)],
                "interval_days": outputs["interval_days"][0][: len(ids)],
                "due_in_days": outputs["due_in_days"][0][: len(ids)],
            }
        )

    def other_categories(
        self,
        history: HistoryLike,
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        context: Context = None,
    ) -> Recommendations:
        """Returns products of the kinds that are not in the history, best first.

        Args:
            history: as in `recommend`.
            events: as in `recommend`.
            timestamps: as in `recommend`.
            k: how many items at most.
            exclude: item ids that must not be shown.
            context: as in `recommend`.
        """
        asked = self._read(history, events, timestamps, context)
        more: dict[str, object] = {"exclude_item_id": _row(exclude)}
        outputs = self._ask_surface("retrieval", "other_categories", asked, more)
        return self._models.recommendations(outputs, k, "Of other categories")

    def campaign(
        self,
        creatives: Sequence[str],
        history: HistoryLike = (),
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        now: int | None = None,
        context: Context = None,
    ) -> pd.Series:
        """Returns the probability that a shopper buys what each text advertises, by text.

        Args:
            creatives: the texts, at least one.
            history: as in `recommend`.
            events: as in `recommend`.
            timestamps: as in `recommend`.
            now: as in `home`.
            context: as in `recommend`.

        Raises:
            UserError: if there is no text, or the models were exported without campaigns.
        """
        if isinstance(creatives, str) or not creatives:
            raise UserError("creatives should be a list of texts, one at least")
        asked = self._read(history, events, timestamps, context)
        more = {"now": _moment(now), "creative": _row(creatives)}
        outputs = self._ask_surface("retrieval", "campaign", asked, more)
        return pd.Series(outputs["probability"][0], index=list(creatives), name="probability")

    def _ask_surface(
        self, model: str, signature: str, asked: AskedHistory, more: Mapping[str, object]
    ) -> Outputs:
        """Returns the outputs of a signature for one history and `more` inputs."""
        self._models.need(model, signature)
        inputs = {**self._models.history_inputs([asked]), **more}
        return self._models.ask(model, signature, inputs)


def _row(texts: Sequence[str]) -> list[list[str]]:
    return [list(texts) or [""]]


def _moment(now: int | None) -> list[int]:
    return [int(now or 0)]
