"""Histories in Redis, for gateways on many machines."""

import contextlib
import json
import secrets
import threading
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
UNANSWERED_EVENTS = 10_000


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
            # Once more at once, for a connection that broke while it was idle.
            self._redis = _connect(url, retries=1)
            # For what may not be done twice: the first request may have come through.
            self._once = _connect(url, retries=0)
        except ValueError as error:
            raise HistorySetupError(f"the Redis URL of the history is wrong: {error}") from error
        self._checked = False
        self._lock = threading.Lock()
        self._unanswered: dict[tuple[str, str], bool] = {}

    def append(self, user: str, events: Sequence[Event]) -> list[bool]:
        """Adds events of one shopper; see `HistoryStore.append`."""
        key = self._key(user)
        members = [_member(event) for event in events]
        try:
            with self._errors(), self._once.pipeline(transaction=True) as batch:
                for member, event in zip(members, events, strict=True):
                    batch.zadd(key, {member: event.milliseconds}, nx=True)
                batch.zremrangebyrank(key, 0, -self._keep - 1)
                added = batch.execute()[:-1]
        except HistoryUnavailableError:
            self._note_unanswered(key, members)
            raise
        first = [self._is_first_answer(key, member) for member in members]
        return [count == 1 or one for count, one in zip(added, first, strict=True)]

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
        with self._errors(), self._once.pipeline(transaction=True) as batch:
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
        self._once.close()

    def _key(self, user: str) -> str:
        return f"{PREFIX}user:{user}"

    def _note_unanswered(self, key: str, members: Sequence[str]) -> None:
        """Remembers events that may be there already when the caller repeats them.

        To the caller they are new then, because nobody was told that they had been added.
        """
        with self._lock:
            self._unanswered.update(((key, member), True) for member in members)
            for oldest in list(self._unanswered)[:-UNANSWERED_EVENTS]:
                del self._unanswered[oldest]

    def _is_first_answer(self, key: str, member: str) -> bool:
        """Returns whether an event was sent before without an answer, and forgets that."""
        with self._lock:
            return self._unanswered.pop((key, member), False)

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


def _connect(url: str, *, retries: int) -> Any:
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), retries),
    )


def _member(event: Event) -> str:
    return json.dumps([event.milliseconds, event.event, event.item_id], ensure_ascii=False)
