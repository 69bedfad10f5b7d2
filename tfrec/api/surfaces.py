"""The surfaces of a shop as a notebook asks for them, for one shopper."""

from collections.abc import Mapping, Sequence

import pandas as pd

from tfrec.api.answers import Recommendations
from tfrec.api.local_models import LocalModels, Outputs
from tfrec.api.questions import AskedHistory, HistoryLike
from tfrec.errors import UserError

Context = Mapping[str, str] | None


class SurfaceQuestions:
    """Home page, repeat purchases, other categories and campaigns of a recommender.

    Every question raises `UserError` if nothing is trained, the run has no such surface, or no item
    of the history is in the catalogue.
    """

    @property
    def _models(self) -> LocalModels:
        raise NotImplementedError

    def _read(
        self,
        history: HistoryLike,
        events: Sequence[str] | None,
        timestamps: Sequence[int] | None,
        context: Context,
    ) -> AskedHistory:
        raise NotImplementedError

    def _answer(self, outputs: Outputs, k: int, title: str) -> Recommendations:
        raise NotImplementedError

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
        inputs = {**self._inputs("recommender", "home_page", asked, now), **_excluded(exclude)}
        outputs = self._models.ask("recommender", "home_page", inputs)
        shelves = {}
        for place, kind in enumerate(outputs["shelf"][0].tolist()):
            line = {name: outputs[name][:, place] for name in ("item_id", "score")}
            because = outputs["reason_item_id"][0, place]
            title = f"Because of {self._models.title(because)}" if because else kind
            answer = self._answer(line, line["item_id"].shape[1], title)
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
        inputs = {**self._inputs("retrieval", "buy_again", asked, now), **_excluded(())}
        outputs = self._models.ask("retrieval", "buy_again", inputs)
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
        self._models.need("retrieval", "other_categories")
        inputs = {**self._models.history_inputs([asked]), **_excluded(exclude)}
        outputs = self._models.ask("retrieval", "other_categories", inputs)
        return self._answer(outputs, k, "Of other categories")

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
        inputs = self._inputs("retrieval", "campaign", asked, now)
        outputs = self._models.ask("retrieval", "campaign", inputs | {"creative": [[*creatives]]})
        return pd.Series(outputs["probability"][0], index=list(creatives), name="probability")

    def _inputs(
        self, model: str, signature: str, asked: AskedHistory, now: int | None
    ) -> dict[str, object]:
        self._models.need(model, signature)
        return {**self._models.history_inputs([asked]), "now": [int(now or 0)]}


def _excluded(items: Sequence[str]) -> dict[str, object]:
    return {"exclude_item_id": [list(items) or [""]]}
