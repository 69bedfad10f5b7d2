"""The recent events of every shopper, by hashed user id: in SQLite or in Redis.

Example:
    ```python
    from serving.history import Event, UserHashes, open_history

    with open_history("sqlite:///history.db", keep=200) as history:
        user = UserHashes(history).of("shopper@example.com")
        history.append(user, [Event("85123A", "view", time=1763774400.0)])
        print(history.recent(user, limit=50))
    ```
"""

from serving.history.errors import HistoryError, HistorySetupError, HistoryUnavailableError
from serving.history.event import Event
from serving.history.store import HistoryStore
from serving.history.urls import open_history
from serving.history.users import UserHashes

__all__ = [
    "Event",
    "HistoryError",
    "HistorySetupError",
    "HistoryStore",
    "HistoryUnavailableError",
    "UserHashes",
    "open_history",
]
