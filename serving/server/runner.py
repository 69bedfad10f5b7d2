"""Runs one request in a session."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from serving.server.arrays import Array
from serving.server.session import SavedModelSession
from serving.server.statuses import Code, ServingError


class Runner(Protocol):
    """Runs requests, alone or together."""

    def run(
        self,
        signature: Any,
        inputs: Mapping[str, Any],
        fetches: Sequence[str],
        timeout_ms: int | None,
    ) -> list[Array]:
        """Runs the graph for a request; see `DirectRunner.run`."""


class DirectRunner:
    """Runs each request by itself."""

    def __init__(self, session: SavedModelSession) -> None:
        self._session = session

    def run(
        self,
        signature: Any,
        inputs: Mapping[str, Any],
        fetches: Sequence[str],
        timeout_ms: int | None,
    ) -> list[Array]:
        """Runs the graph.

        Args:
            signature: the SignatureDef that the inputs belong to.
            inputs: TensorProtos by the signature's aliases.
            fetches: names of the tensors to compute.
            timeout_ms: bound of the run; None for none.

        Returns:
            One array a fetch.

        Raises:
            ServingError: INVALID_ARGUMENT for a message that is no tensor, else with TensorFlow's
                own code and text.
        """
        session = self._session
        feeds: list[tuple[str, int]] = []
        try:
            for alias, proto in inputs.items():
                handle = session.tensor(proto)
                if handle is None:
                    raise ServingError(Code.INVALID_ARGUMENT, f"tensor parsing error: {alias}")
                feeds.append((signature.inputs[alias].name, handle))
            return session.run(feeds, fetches, timeout_ms)
        finally:
            for _, handle in feeds:
                session.delete_tensor(handle)
