"""What every question to local models begins with."""

from collections.abc import Mapping, Sequence

from tfrec.api.local_models import LocalModels, Outputs
from tfrec.api.questions import AskedHistory, HistoryLike
from tfrec.errors import UserError


class Asking:
    """Reads histories, and asks models that whoever is made of it has."""

    @property
    def _models(self) -> LocalModels:
        raise NotImplementedError

    def _need_known(self, item_ids: Sequence[str]) -> None:
        if item_ids and not self._models.known(item_ids):
            shown = ", ".join(item_ids[:5]) + (", …" if len(item_ids) > 5 else "")
            raise UserError(f"no item of {shown} is in the catalogue; check the ids")

    def _read(
        self,
        history: HistoryLike,
        events: Sequence[str] | None,
        timestamps: Sequence[int] | None,
        context: Mapping[str, str] | None,
    ) -> AskedHistory:
        asked = AskedHistory.of(history, events, timestamps, context)
        self._need_known(asked.items)
        return asked

    def _ask(self, model: str, signature: str, inputs: dict[str, object], k: int) -> Outputs:
        if not 1 <= k <= self._models.k:
            raise UserError(
                f"k should be from 1 to {self._models.k} (export.k of the configuration), not {k}"
            )
        return self._models.ask(model, signature, inputs)
