"""Histories in Redis, for gateways on many machines."""

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from serving.history.errors import HistorySetupError, HistoryUnavailableError
from serving.history.event import Event
from serving.history.store import DEFAULT_KEEP, SCHEMA_VERSION, HistoryStore

PREFIX = "tfrec:history:"
# Whom every gateway has to erase from its own event log, by time; kept for a week.
ERASED = f"{PREFIX}erased"
ERASED_SECONDS = 7 * 86_400.0
# A recommendation should not wait for a store that is down.
TIMEOUT_SECONDS = 0.5


class RedisHistory(HistoryStore):
    """A `HistoryStore` with one sorted set a shopper, by time."""

    def __init__(self, url: str, *, keep: int = DEFAULT_KEEP) -> None:
        """Prepares the store; it connects when it is first needed.

        Args:
            url: as redis-py reads it.
            keep: events kept a shopper.

        Raises:
            HistorySetupError: if the URL cannot be used.
        """
        self._keep = keep
        parts = urlsplit(url)
        # Without the password that a URL may hold.
        self._where = parts.path if parts.scheme == "unix" else f"{parts.hostname}"
        try:
            self._redis: Any = redis.Redis.from_url(
                url,
                decode_responses=True,
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                # Once more at once, for a connection that broke while it was idle.
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError as error:
            raise HistorySetupError(f"the Redis URL of the history is wrong: {error}") from error
        self._checked = False

    def append(self, user: str, events: Sequence[Event]) -> list[bool]:
        """Adds events of one shopper; see `HistoryStore.append`."""
        key = self._key(user)
        with self._errors(), self._redis.pipeline(transaction=True) as batch:
            for event in events:
                member = json.dumps(
                    [event.milliseconds, event.event, event.item_id], ensure_ascii=False
                )
                batch.zadd(key, {member: event.milliseconds}, nx=True)
            batch.zremrangebyrank(key, 0, -self._keep - 1)
            return [added == 1 for added in batch.execute()[:-1]]

    def recent(self, user: str, limit: int) -> list[Event]:
        """Returns the newest events of a shopper; see `HistoryStore.recent`."""
        with self._errors():
            members = self._redis.zrange(self._key(user), -limit, -1)
        return sorted(
            (Event.at(*json.loads(member)) for member in members),
            key=lambda event: (event.milliseconds, event.event, event.item_id),
        )

    def erase(self, user: str) -> int:
        """Removes everything about a shopper; see `HistoryStore.erase`."""
        key, now = self._key(user), time.time()
        with self._errors(), self._redis.pipeline(transaction=True) as batch:
            batch.zcard(key).delete(key)
            batch.zadd(ERASED, {user: now}).zremrangebyscore(ERASED, 0, now - ERASED_SECONDS)
            return batch.execute()[0]

    def erasures(self) -> list[tuple[str, float]]:
        """Returns the erasures of the last week; see `HistoryStore.erasures`."""
        with self._errors():
            self._redis.zremrangebyscore(ERASED, 0, time.time() - ERASED_SECONDS)
            return self._redis.zrange(ERASED, 0, -1, withscores=True)

    def salt(self) -> str:
        """Returns the store's own salt; see `HistoryStore.salt`."""
        with self._errors():
            self._redis.set(f"{PREFIX}salt", secrets.token_hex(16), nx=True)
            return self._redis.get(f"{PREFIX}salt")

    def check(self) -> None:
        """Asks the server for an answer."""
        with self._errors():
            self._redis.ping()

    def close(self) -> None:
        """Closes the connections."""
        self._redis.close()

    def _key(self, user: str) -> str:
        return f"{PREFIX}user:{user}"

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Checks the schema once, and turns the library's errors into ours."""
        try:
            if not self._checked:
                self._redis.set(f"{PREFIX}schema", SCHEMA_VERSION, nx=True)
                version = self._redis.get(f"{PREFIX}schema")
                if version != str(SCHEMA_VERSION):
                    raise HistorySetupError(
                        f"the history in Redis at {self._where} has schema {version}, and this "
                        f"version of tfrec reads {SCHEMA_VERSION}; update tfrec, or use another "
                        "database number"
                    )
                self._checked = True
            yield
        except redis.AuthenticationError as error:
            raise HistorySetupError(
                f"Redis at {self._where} refuses the user or the password ({error}); check the "
                "history URL"
            ) from error
        except redis.RedisError as error:
            raise HistoryUnavailableError(
                f"the history in Redis at {self._where} does not answer ({error}); see that the "
                "server runs and can be reached"
            ) from error
