"""How every question is put to a server: its deadline, its request, and the names it comes with."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.client import answers, naming, requests
from serving.client.calls import Operation
from serving.client.results import Recommendations
from serving.client.schema import Schema


@dataclass(frozen=True)
class Wanted:
    """What a caller wants of an answer that is a list.

    Attributes:
        k: how many items at most.
        titles: whether to ask for names and prices, too.
        strict: whether a question about unknown items only is an error.
        timeout: deadline in seconds; None for the client's.
    """

    k: int
    titles: bool
    strict: bool
    timeout: float | None


class Asking:
    """Puts questions to one server, as generators that a connection runs."""

    def __init__(self, address: str, timeout: float) -> None:
        """Prepares questions to `address` that have `timeout` seconds unless they say otherwise."""
        self._address = address
        self._timeout = timeout
        self._schema = Schema(address)

    def _list(
        self,
        model: str,
        signature: str,
        inputs: Mapping[str, Any],
        wanted: Wanted,
        *,
        about: Sequence[str] = (),
        context: Mapping[str, str] | None = None,
    ) -> Operation[Recommendations]:
        """Returns the list that a signature answers with.

        Args:
            model: the model's name.
            signature: one that answers with items and scores.
            inputs: its tensors, but for those of the context.
            wanted: how much of the answer, and by when.
            about: the items that the question is about.
            context: values of the model's context features.

        Raises:
            UnknownItemError: if `wanted` is strict, there are items in `about`, and none is known.
            InvalidRequestError: if `k` is not positive.
            ClientError: if the server cannot answer.
        """
        requests.check_k(wanted.k)
        deadline = self._deadline(wanted.timeout)
        response = yield from self._schema.predict(
            model, signature, inputs, context or {}, deadline
        )
        items = answers.recommendations(response.outputs, wanted.k)
        answer = Recommendations(items, model, response.model_spec.version.value)
        if not wanted.titles:
            return answer
        return (
            yield from naming.with_titles(answer, about, self._address, wanted.strict, deadline)
        )

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + (self._timeout if timeout is None else timeout)
