"""Histories in one SQLite file, for one machine; several processes may share it."""

import contextlib
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

from serving.history.errors import HistorySetupError, HistoryUnavailableError
from serving.history.event import Event
from serving.history.store import DEFAULT_KEEP, SCHEMA_VERSION, HistoryStore

BUSY_SECONDS = 1.0
RETRY_SECONDS = 0.005
# In the file's header, so that no other program's database is taken for a history.
APPLICATION_ID = 0x7466_7265
# One statement, because another process may be making the tables just now.
IDENTITY = """
    SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
    FROM pragma_application_id, pragma_user_version
"""
SCHEMA = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS events (
        user TEXT NOT NULL,
        time INTEGER NOT NULL,
        event TEXT NOT NULL,
        item TEXT NOT NULL,
        PRIMARY KEY (user, time, event, item)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {SCHEMA_VERSION};
    COMMIT;
"""
INSERT = "INSERT OR IGNORE INTO events (user, time, event, item) VALUES (?, ?, ?, ?)"
NEWEST = "ORDER BY time DESC, event DESC, item DESC LIMIT"
TRIM = f"""
    DELETE FROM events WHERE user = ?1 AND (time, event, item) <
        (SELECT time, event, item FROM events WHERE user = ?1 {NEWEST} 1 OFFSET ?2)
"""


class _Owned:
    """A thread's connection, closed when the thread ends.

    The connection itself would wait for the collector of reference cycles.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


class SqliteHistory(HistoryStore):
    """A `HistoryStore` in a file, with write-ahead logging: readers never wait for a writer."""

    def __init__(
        self, path: Path, *, keep: int = DEFAULT_KEEP, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        """Prepares the store; the file is made when it is first needed.

        Args:
            path: the file.
            keep: events kept a shopper.
            busy_seconds: how long to wait while another process writes.
        """
        self._path = path
        self._keep = keep
        self._busy_seconds = busy_seconds
        self._local = threading.local()
        self._lock = threading.Lock()
        self._owned: weakref.WeakSet[_Owned] = weakref.WeakSet()

    def append(self, user: str, events: Sequence[Event]) -> list[bool]:
        """Adds events of one shopper; see `HistoryStore.append`."""
        with self._connection() as connection, _transaction(connection):
            new = [
                connection.execute(
                    INSERT, (user, event.milliseconds, event.event, event.item_id)
                ).rowcount
                == 1
                for event in events
            ]
            connection.execute(TRIM, (user, self._keep - 1))
            return new

    def recent(self, user: str, limit: int) -> list[Event]:
        """Returns the newest events of a shopper; see `HistoryStore.recent`."""
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT time, event, item FROM events WHERE user = ? {NEWEST} ?", (user, limit)
            ).fetchall()
        return [Event.at(*row) for row in reversed(rows)]

    def erase(self, user: str) -> int:
        """Removes everything about a shopper, from the file and from its write-ahead log."""
        with self._connection() as connection:
            with _transaction(connection):
                cursor = connection.execute("DELETE FROM events WHERE user = ?", (user,))
            # Deleted rows are zeroed in the file; this moves the zeros there and empties the log.
            ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if busy:
                raise HistoryUnavailableError(
                    f"the shopper is erased from the history file {self._path}, but not from its "
                    "write-ahead log, which another program uses just now; erase again when that "
                    "is done"
                )
            return cursor.rowcount

    def erasures(self) -> list[tuple[str, float]]:
        """Returns nothing: the file, and what is noted beside it, are one machine's."""
        return []

    def salt(self) -> str:
        """Returns the store's own salt; see `HistoryStore.salt`."""
        with self._connection() as connection:
            with _transaction(connection):
                connection.execute(
                    "INSERT OR IGNORE INTO settings VALUES ('salt', ?)", (secrets.token_hex(16),)
                )
            query = "SELECT value FROM settings WHERE name = 'salt'"
            return connection.execute(query).fetchone()[0]

    def check(self) -> None:
        """Reads the first page of the file."""
        with self._connection() as connection:
            connection.execute("SELECT count(*) FROM settings").fetchone()

    def close(self) -> None:
        """Closes the connections of all threads."""
        with self._lock:
            for owned in list(self._owned):
                owned.connection.close()
            self._local = threading.local()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Yields this thread's connection, and turns SQLite's errors into ours."""
        try:
            owned = getattr(self._local, "owned", None)
            if owned is None:
                owned = self._local.owned = self._connect()
            yield owned.connection
        except sqlite3.OperationalError as error:
            raise HistoryUnavailableError(
                f"the history file {self._path} cannot be used just now ({error}); see that no "
                "other program locks it, that its folder may be written to, and that the disk is "
                "not full"
            ) from error
        except sqlite3.DatabaseError as error:
            self._forget()
            raise HistorySetupError(
                f"the history file {self._path} is damaged or no history ({error}); put a backup "
                "in its place, or move it away to start with empty histories"
            ) from error

    def _connect(self) -> _Owned:
        connection = sqlite3.connect(
            self._path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        owned = _Owned(connection)
        with self._lock:
            self._owned.add(owned)
        return owned

    def _prepare(self, connection: sqlite3.Connection) -> None:
        application, version, tables = connection.execute(IDENTITY).fetchone()
        if (application, version, tables) == (0, 0, 0):
            # Nobody else's business; SQLite gives the files beside it the same permissions.
            self._path.chmod(0o600)
            self._write_ahead(connection)
            connection.executescript(SCHEMA)
        elif application != APPLICATION_ID:
            raise HistorySetupError(
                f"{self._path} is a database of another program; give --history another file"
            )
        elif version > SCHEMA_VERSION:
            raise HistorySetupError(
                f"the history file {self._path} has schema {version}, and this version of tfrec "
                f"reads {SCHEMA_VERSION}; update tfrec, or give --history another file"
            )
        # A crash of the machine may lose the last events, but never the file.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        """Makes the file one of write-ahead logging.

        Each of two that do so at once may hold a read lock that the other would wait for. SQLite
        then gives up at once, whatever the timeout of the connection, so the waiting is done here.
        """
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(RETRY_SECONDS)

    def _forget(self) -> None:
        """Closes this thread's connection, so that a file put in place is opened afresh."""
        self._local.owned = None


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE takes the write lock at once: an upgrade half-way could not wait for another one.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
