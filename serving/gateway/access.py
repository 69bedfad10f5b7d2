"""Who asks, and how often they may."""

from dataclasses import dataclass

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from serving.gateway.api_keys import ApiKeys
from serving.gateway.errors import GatewaySetupError, RefusalError
from serving.server.statuses import Code

API_KEY_HEADER = "x-api-key"
ANYONE = "anyone"


@dataclass(frozen=True)
class Credentials:
    """What a caller showed.

    Attributes:
        api_key: the key that it sent; None for none.
        certificate: the name in its certificate, already verified; None without mutual TLS.
    """

    api_key: str | None = None
    certificate: str | None = None


class Access:
    """Names callers and counts their requests."""

    def __init__(self, keys: ApiKeys | None, rate_limit: str | None) -> None:
        """Prepares checks.

        Args:
            keys: if given, every caller needs one of these.
            rate_limit: such as ``100/second``, for each caller; None for no limit.

        Raises:
            GatewaySetupError: if the rate limit cannot be read.
        """
        self._keys = keys
        self._limit: limits.RateLimitItem | None = None
        if rate_limit is not None:
            try:
                self._limit = limits.parse(rate_limit)
            except ValueError as error:
                raise GatewaySetupError(
                    f"a rate limit should be NUMBER/UNIT, such as 100/second, not {rate_limit!r}"
                ) from error
        self._counts = MovingWindowRateLimiter(MemoryStorage())

    def admit(self, credentials: Credentials) -> str:
        """Returns the caller's name.

        Raises:
            RefusalError: if the caller is unknown, or asks more often than it may.
        """
        name = self._name(credentials)
        if self._limit is not None and not self._counts.hit(self._limit, name):
            raise RefusalError(
                Code.RESOURCE_EXHAUSTED,
                f"{name} may ask {self._limit} only; ask less often, or have --rate-limit raised",
            )
        return name

    def _name(self, credentials: Credentials) -> str:
        if self._keys is None:
            return credentials.certificate or ANYONE
        if not credentials.api_key:
            raise RefusalError(
                Code.UNAUTHENTICATED, f"there is no API key; send one as {API_KEY_HEADER}"
            )
        name = self._keys.name_of(credentials.api_key)
        if name is None:
            raise RefusalError(
                Code.UNAUTHENTICATED, "the API key is not known; check it, or ask for a new one"
            )
        return name
