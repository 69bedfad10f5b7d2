"""The client for asyncio."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Concatenate, ParamSpec, Self, TypeVar

import grpc

from serving.client.calls import Operation
from serving.client.connection import AsyncConnection, Settings
from serving.client.operations import Operations
from serving.client.tls import Tls

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    operation: Callable[Concatenate[Operations, P], Operation[T]],
) -> Callable[Concatenate["AsyncRecommenderClient", P], Awaitable[T]]:
    """Makes an operation a coroutine method that returns its result."""

    @functools.wraps(operation)
    async def method(self: "AsyncRecommenderClient", *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._connection.run(operation(self._operations, *args, **kwargs))

    return method


class AsyncRecommenderClient:
    """`RecommenderClient` for asyncio: the same methods, to be awaited.

    Make it inside the event loop that uses it, and keep it: its calls share one connection.
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
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    ) -> None:
        """Prepares a connection; the first call makes it.

        Args:
            address: as in `RecommenderClient`, and so are the others.
            timeout: deadline of an operation in seconds, retries included.
            retries: how often a call is tried again while the server is unavailable, 0 to 4.
            retry_budget: calls that may be retried in a row without success.
            max_message_megabytes: largest answer that is accepted.
            tls: how to connect securely; None for a plain connection.
            interceptors: asynchronous ones.

        Raises:
            InvalidRequestError: if the address is not ``HOST:PORT``, or another value cannot work.
        """
        settings = Settings(address, timeout, retries, retry_budget, max_message_megabytes, tls)
        self._connection = AsyncConnection(settings, interceptors)
        self._operations = Operations(address, timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def address(self) -> str:
        """``HOST:PORT`` of the server."""
        return self._connection.address

    async def close(self) -> None:
        """Closes the connection."""
        await self._connection.close()

    recommend = _awaited(Operations.recommend)
    search = _awaited(Operations.search)
    similar = _awaited(Operations.similar)
    cart = _awaited(Operations.cart)
    home = _awaited(Operations.home)
    buy_again = _awaited(Operations.buy_again)
    other_categories = _awaited(Operations.other_categories)
    campaign = _awaited(Operations.campaign)
    rank = _awaited(Operations.rank)
    describe = _awaited(Operations.describe)
    embed = _awaited(Operations.embed)
    embed_item = _awaited(Operations.embed_item)
    models = _awaited(Operations.models)
