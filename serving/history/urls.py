"""Opens the history store that a URL names."""

from pathlib import Path
from urllib.parse import urlsplit

from serving.history.errors import HistorySetupError
from serving.history.sqlite import SqliteHistory
from serving.history.store import DEFAULT_KEEP, HistoryStore

REDIS_SCHEMES = ("redis", "rediss", "unix")
EXPECTED = (
    "should be sqlite:///FILE (sqlite:////FILE for an absolute path) or redis://HOST:PORT/NUMBER"
)


def open_history(url: str, *, keep: int = DEFAULT_KEEP) -> HistoryStore:
    """Returns the store at `url`; it need not answer yet.

    Args:
        url: ``sqlite:///FILE``, or a URL of redis-py (``redis://``, ``rediss://``, ``unix://``).
        keep: events kept a shopper.

    Raises:
        HistorySetupError: if the URL cannot be used.
    """
    if keep < 1:
        raise HistorySetupError(f"a history should keep at least one event, not {keep}")
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise HistorySetupError(f"the history URL {EXPECTED}") from error
    if scheme == "sqlite":
        file = url.removeprefix("sqlite:///")
        if file == url or not file:
            raise HistorySetupError(f"the history URL {EXPECTED}, not {url!r}")
        return SqliteHistory(Path(file), keep=keep)
    if scheme in REDIS_SCHEMES:
        # Imported only here: it brings a client library that SQLite does not need.
        from serving.history.redis import RedisHistory

        return RedisHistory(url, keep=keep)
    # Not the URL itself, which may hold a password.
    raise HistorySetupError(f"the history URL {EXPECTED}, not one that begins with {scheme!r}")
