"""The server under test, asked as the client asks it."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from serving.client.calls import PREDICT
from serving.client.connection import Connection, Settings
from serving.client.operations import Operations
from serving.loadtest.loops import PreparedCall
from serving.loadtest.mix import prepare_calls
from serving.loadtest.shoppers import Shopper

PREPARED_CALLS = 2000


class Target:
    """A server that gets load over one connection, with the client's settings of it."""

    def __init__(self, settings: Settings) -> None:
        """Prepares the connection.

        Args:
            settings: how to connect. Retries should be off: a test wants to see failures.

        Raises:
            InvalidRequestError: if a file of the TLS settings cannot be used.
        """
        self._settings = settings
        self._channel = settings.open_channel()
        self._predict = self._channel.unary_unary(
            PREDICT.path, response_deserializer=PREDICT.response.FromString
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def prepare(
        self,
        shoppers: Sequence[Shopper],
        mix: Mapping[str, float],
        *,
        count: int = PREPARED_CALLS,
        seed: int = 0,
    ) -> list[PreparedCall]:
        """Makes requests; see `prepare_calls`.

        Raises:
            ClientError: if the server does not answer, or has not what the mix asks for.
        """
        connection = Connection(self._settings)
        operations = Operations(self._settings.address, self._settings.timeout)
        try:
            return prepare_calls(connection, operations, shoppers, mix, count=count, seed=seed)
        finally:
            connection.close()

    def send(self, request: bytes) -> Any:
        """Sends a Predict request, and returns at once a call that ends with its answer."""
        return self._predict.future(request, timeout=self._settings.timeout)
