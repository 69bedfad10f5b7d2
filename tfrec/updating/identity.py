"""What tells one state of the code from another."""

import functools
import hashlib
from pathlib import Path

import tfrec


@functools.cache
def code_identity() -> dict[str, str]:
    """Returns tfrec's version, and SHA-256 over its source files."""
    root = Path(tfrec.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return {"tfrec": tfrec.__version__, "sources": digest.hexdigest()}
