"""Connections that run operations: deadlines, retries, keep-alive, TLS; blocking or asynchronous.

Retries are gRPC's own, by the service configuration: it knows whether a request may have reached
the server, and its retry throttling is the budget.
"""

import ipaddress
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from serving.client.calls import METHODS, Call, Operation, Result
from serving.client.failures import explained
from serving.client.tls import Tls
from serving.errors import ClientError, InvalidRequestError

MEGABYTE = 1 << 20
MOST_RETRIES = 4
# A server drops a client that pings an idle connection more often than every five minutes, so
# pings are sent during calls only. Any keep-alive also bounds how long sent bytes may stay
# unacknowledged, which is what notices a peer that has vanished.
KEEPALIVE_MILLISECONDS = 300_000
UNACKNOWLEDGED_MILLISECONDS = 5_000
SHORTEST_TIMEOUT_SECONDS = 0.001


@dataclass(frozen=True)
class Settings:
    """How a client connects.

    Attributes:
        address: ``HOST:PORT`` of the server's gRPC port.
        timeout: deadline of an operation in seconds, retries included.
        retries: how often a call is tried again while the server is unavailable, 0 to 4.
        retry_budget: calls that may be retried in a row without success, before only the first
            attempt is made; ten successes earn one retry back.
        max_message_megabytes: largest answer that is accepted.
        tls: how to connect securely; None for a plain connection.

    Raises:
        InvalidRequestError: if a value cannot work.
    """

    address: str
    timeout: float = 10.0
    retries: int = 3
    retry_budget: int = 50
    max_message_megabytes: int = 64
    tls: Tls | None = None

    def __post_init__(self) -> None:
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal():
            raise InvalidRequestError(
                "a server address should be HOST:PORT, such as localhost:8500, not "
                f"{self.address!r}"
            )
        if not self.timeout > 0:
            raise InvalidRequestError(f"timeout should be more than 0 s, not {self.timeout}")
        if not 0 <= self.retries <= MOST_RETRIES:
            raise InvalidRequestError(
                f"retries should be between 0 and {MOST_RETRIES}, not {self.retries}"
            )
        if not 1 <= self.retry_budget <= 500:
            raise InvalidRequestError(
                f"retry_budget should be between 1 and 500, not {self.retry_budget}"
            )

    def options(self) -> list[tuple[str, Any]]:
        """Returns the options of a gRPC channel."""
        options = [
            ("grpc.max_receive_message_length", self.max_message_megabytes * MEGABYTE),
            ("grpc.max_send_message_length", -1),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),
            ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
            ("grpc.keepalive_timeout_ms", UNACKNOWLEDGED_MILLISECONDS),
            ("grpc.enable_retries", int(self.retries > 0)),
            ("grpc.service_config", json.dumps(self._service_config())),
            # A larger request would silently not be retried.
            ("grpc.per_rpc_retry_buffer_size", 16 * MEGABYTE),
            # A proxy in the environment is for other machines; it cannot reach this one.
            ("grpc.enable_http_proxy", int(not _is_this_machine(self.address))),
        ]
        if self.tls is not None and self.tls.server_name is not None:
            options.append(("grpc.ssl_target_name_override", self.tls.server_name))
        return options

    def open_channel(self) -> grpc.Channel:
        """Returns a new channel, which connects at its first call.

        Raises:
            InvalidRequestError: if a file of the TLS settings cannot be used.
        """
        if self.tls is None:
            return grpc.insecure_channel(self.address, self.options())
        return grpc.secure_channel(self.address, self.tls.credentials(), self.options())

    def _service_config(self) -> dict[str, Any]:
        # A name may stand for many servers, as that of a headless service does: all of them work.
        config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
        if not self.retries:
            return config
        return config | {
            "methodConfig": [
                {
                    "name": [{}],
                    "retryPolicy": {
                        "maxAttempts": self.retries + 1,
                        "initialBackoff": "0.1s",
                        "backoffMultiplier": 3,
                        "maxBackoff": "3s",
                        "retryableStatusCodes": ["UNAVAILABLE"],
                    },
                }
            ],
            # Retries stop while fewer than half of the tokens are left.
            "retryThrottling": {"maxTokens": 2 * self.retry_budget, "tokenRatio": 0.1},
        }


class Connection:
    """A connection that blocks; all threads may share it."""

    def __init__(
        self, settings: Settings, interceptors: Sequence[grpc.UnaryUnaryClientInterceptor] = ()
    ) -> None:
        """Prepares the connection; the first call makes it.

        Raises:
            InvalidRequestError: if a file of the TLS settings cannot be used.
        """
        self.address = settings.address
        self._channel = settings.open_channel()
        self._methods = _methods(grpc.intercept_channel(self._channel, *interceptors))

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def run(self, operation: Operation[Result]) -> Result:
        """Makes the calls of an operation and returns its result.

        Raises:
            ClientError: of the kind that fits the failure.
        """
        try:
            call = next(operation)
            while True:
                try:
                    response = self._answer(call)
                except ClientError as error:
                    call = operation.throw(error)
                else:
                    call = operation.send(response)
        except StopIteration as end:
            return end.value

    def _answer(self, call: Call) -> Any:
        try:
            return self._methods[call.method.path](call.request, timeout=_remaining(call))
        except grpc.RpcError as error:
            raise explained(error, call.what, self.address) from error


class AsyncConnection:
    """The same for asyncio; it belongs to the event loop that it is made in."""

    def __init__(
        self, settings: Settings, interceptors: Sequence[grpc.aio.ClientInterceptor] = ()
    ) -> None:
        """Prepares the connection; the first call makes it.

        Raises:
            InvalidRequestError: if a file of the TLS settings cannot be used.
        """
        self.address = settings.address
        options, given = settings.options(), list(interceptors)
        if settings.tls is None:
            channel = grpc.aio.insecure_channel(settings.address, options, interceptors=given)
        else:
            channel = grpc.aio.secure_channel(
                settings.address, settings.tls.credentials(), options, interceptors=given
            )
        self._channel = channel
        self._methods = _methods(channel)

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()

    async def run(self, operation: Operation[Result]) -> Result:
        """Makes the calls of an operation and returns its result.

        Raises:
            ClientError: of the kind that fits the failure.
        """
        try:
            call = next(operation)
            while True:
                try:
                    response = await self._answer(call)
                except ClientError as error:
                    call = operation.throw(error)
                else:
                    call = operation.send(response)
        except StopIteration as end:
            return end.value

    async def _answer(self, call: Call) -> Any:
        try:
            return await self._methods[call.method.path](call.request, timeout=_remaining(call))
        except grpc.RpcError as error:
            raise explained(error, call.what, self.address) from error


def _methods(channel: Any) -> dict[str, Any]:
    return {
        method.path: channel.unary_unary(
            method.path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=method.response.FromString,
        )
        for method in METHODS
    }


def _remaining(call: Call) -> float:
    return max(SHORTEST_TIMEOUT_SECONDS, call.deadline - time.monotonic())


def _is_this_machine(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
