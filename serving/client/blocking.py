"""The client that blocks."""

import functools
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, Self, TypeVar

import grpc

from serving.client.calls import Operation
from serving.client.connection import Connection, Settings
from serving.client.operations import Operations
from serving.client.tls import Tls

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(
    operation: Callable[Concatenate[Operations, P], Operation[T]],
) -> Callable[Concatenate["RecommenderClient", P], T]:
    """Makes an operation a method that returns its result."""

    @functools.wraps(operation)
    def method(self: "RecommenderClient", *args: P.args, **kwargs: P.kwargs) -> T:
        return self._connection.run(operation(self._operations, *args, **kwargs))

    return method


class RecommenderClient:
    """Asks a server for recommendations. Safe to share between threads.

    One client holds one connection, which all its calls share: make one and keep it.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float = 10.0,
        retries: int = 3,
        retry_budget: int = 50,
        max_message_megabytes: int = 64,
        tls: Tls | None = None,
        interceptors: Sequence[grpc.UnaryUnaryClientInterceptor] = (),
    ) -> None:
        """Prepares a connection; the first call makes it.

        Args:
            address: ``HOST:PORT`` of the server's gRPC port.
            timeout: deadline of an operation in seconds, retries included.
            retries: how often a call is tried again while the server is unavailable, 0 to 4.
            retry_budget: calls that may be retried in a row without success, before only the
                first attempt is made; ten successes earn one retry back.
            max_message_megabytes: largest answer that is accepted.
            tls: how to connect securely; None for a plain connection.
            interceptors: gRPC's hooks around every call, for tracing, metrics or metadata.

        Raises:
            InvalidRequestError: if the address is not ``HOST:PORT``, or another value cannot work.
        """
        settings = Settings(address, timeout, retries, retry_budget, max_message_megabytes, tls)
        self._connection = Connection(settings, interceptors)
        self._operations = Operations(address, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """``HOST:PORT`` of the server."""
        return self._connection.address

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    recommend = _blocking(Operations.recommend)
    search = _blocking(Operations.search)
    similar = _blocking(Operations.similar)
    cart = _blocking(Operations.cart)
    home = _blocking(Operations.home)
    buy_again = _blocking(Operations.buy_again)
    other_categories = _blocking(Operations.other_categories)
    campaign = _blocking(Operations.campaign)
    rank = _blocking(Operations.rank)
    describe = _blocking(Operations.describe)
    embed = _blocking(Operations.embed)
    embed_item = _blocking(Operations.embed_item)
    models = _blocking(Operations.models)
