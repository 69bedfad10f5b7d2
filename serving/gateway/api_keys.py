"""Callers' API keys: a file with a name and the key's hash a line, read again when it changes."""

import hashlib
import hmac
import re
import threading
from pathlib import Path

from serving.gateway.errors import GatewaySetupError

LINE = re.compile(r"(?P<name>[\w.-]{1,64}):(?P<hash>[0-9a-f]{64})", re.ASCII)


class ApiKeys:
    """The keys in a file. A key is never stored, only its SHA-256."""

    def __init__(self, path: Path) -> None:
        """Reads the file.

        Raises:
            GatewaySetupError: if it cannot be read or holds no key.
        """
        self._path = path
        self._lock = threading.Lock()
        self._stamp = _stamp(path)
        self._names = _read(path)

    def name_of(self, key: str) -> str | None:
        """Returns whose key it is; None if nobody's."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        found = None
        # All are compared, each in constant time, so that timing tells nothing about the hashes.
        for known, name in self._current().items():
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def _current(self) -> dict[str, str]:
        with self._lock:
            stamp = _stamp(self._path)
            # A file that is missing or half-written changes nothing, so that no caller is locked
            # out while it is replaced.
            if stamp is not None and stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._names = _read(self._path)
                except GatewaySetupError:
                    self._stamp = None
            return self._names


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _read(path: Path) -> dict[str, str]:
    """Returns names by hash."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GatewaySetupError(f"cannot read the API keys in {path} ({error})") from error
    names: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        match = LINE.fullmatch(line)
        if match is None:
            # Not the line itself: somebody may have put the key there.
            raise GatewaySetupError(
                f"line {number} of {path} should be NAME:HASH, the hash being the SHA-256 of the "
                "key in 64 hexadecimal characters"
            )
        names[match["hash"]] = match["name"]
    if not names:
        raise GatewaySetupError(f"there is no API key in {path}; add a line NAME:HASH")
    return names
