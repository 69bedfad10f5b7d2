"""Hashes that stand for user ids: the same that a prepared data set holds, given the same salt."""

import hashlib

from serving.history.store import HistoryStore

HASH_CHARACTERS = 16


class UserHashes:
    """Turns user ids into salted hashes."""

    def __init__(self, store: HistoryStore, salt: str | None = None) -> None:
        """Prepares hashing.

        Args:
            store: keeps a random salt of its own.
            salt: overrides it, for example with the ``data.user_salt`` of the training data, so
                that its users and those of the shop can be joined.
        """
        self._store = store
        self._salt = salt

    def of(self, user_id: str) -> str:
        """Returns the first 16 hexadecimal characters of SHA-256 over the salt and the user id.

        Raises:
            HistoryUnavailableError: if the store's salt is needed and cannot be read.
        """
        if self._salt is None:
            self._salt = self._store.salt()
        digest = hashlib.sha256(f"{self._salt}\0{user_id}".encode())
        return digest.hexdigest()[:HASH_CHARACTERS]
