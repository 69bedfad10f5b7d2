"""Salted hashes that stand for user ids wherever something is written."""

import hashlib

HASH_CHARACTERS = 16


def hash_user(user_id: str, salt: str) -> str:
    """Returns the first 16 hexadecimal characters of SHA-256 over the salt and the user id."""
    return hashlib.sha256(f"{salt}\0{user_id}".encode()).hexdigest()[:HASH_CHARACTERS]
