"""Text vectors of a frozen BERT, kept on disk by content, so that no text is encoded twice."""

import hashlib
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfrec.errors import UserError
from tfrec.files import atomic_file, disk_errors_as_user_errors, read_json
from tfrec.towers.bert.weights import BertFiles

if TYPE_CHECKING:
    from tfrec.towers.bert.encoding import BatchEncoder
    from tfrec.towers.bert.tower import BertTextTower

# Part of the folder's name: raise it when the same text and weights give other vectors.
_ENCODING_VERSION = 1
_KEY_BYTES = hashlib.sha256().digest_size
# No write of a shard takes this long, so an older unfinished one belongs to a killed run.
_STALE_SECONDS = 3600.0

_log = logging.getLogger(__name__)


class TextVectors:
    """The vectors of texts under one frozen BERT, encoded once and then read from disk.

    A vector's key is the SHA-256 of its text; the folder is named by the fingerprint of the
    BERT and by `max_tokens`. Texts are written in shards, each atomically, so that a run that
    is killed loses at most one shard, and several processes may share a folder. A shard that is
    damaged is removed and its texts are encoded again.

    Args:
        cache_dir: folder under which the folder of this BERT lies; created when needed.
        files: the BERT.
        max_tokens: longest token row; longer texts are cut.
        load_tower: builds the frozen tower of `files`; called only when there is a text to
            encode. ``None`` loads it.
        shard_size: texts a shard holds, about.

    Example:
        ```python
        vectors = TextVectors("cache", find_weights())
        vectors.encode(["red cotton dress", "usb cable"])  # float32 [2, 384]
        ```
    """

    def __init__(
        self,
        cache_dir: str | Path,
        files: BertFiles,
        max_tokens: int = 128,
        load_tower: "Callable[[], BertTextTower] | None" = None,
        shard_size: int = 1000,
    ) -> None:
        if shard_size < 1:
            raise ValueError(f"`shard_size` should be a positive integer. Received: {shard_size}")
        self.folder = (
            Path(cache_dir) / f"v{_ENCODING_VERSION}-{files.fingerprint[:16]}-{max_tokens}"
        )
        self._files = files
        self._max_tokens = max_tokens
        self._load_tower = load_tower or self._load_frozen_tower
        self._shard_size = shard_size
        self._encoder: BatchEncoder | None = None
        self._shards: dict[Path, np.ndarray] = {}
        self._places: dict[bytes, tuple[Path, int]] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Returns the vectors of `texts`, encoding those that the folder does not hold.

        Args:
            texts: n texts, in any order, with any duplicates.

        Returns:
            float32 [n, dimension], each row of length 1.

        Raises:
            UserError: if the BERT cannot be loaded, or the folder cannot be read or written.
        """
        contents = [utf8(text) for text in texts]
        keys = [hashlib.sha256(content).digest() for content in contents]
        if not keys:
            return np.zeros((0, read_json(self._files.config)["hidden_size"]), np.float32)
        self._read_new_shards()
        missing = {
            key: content
            for key, content in zip(keys, contents, strict=True)
            if key not in self._places
        }
        if missing:
            self._encode(list(missing), list(missing.values()))
        places = [self._places[key] for key in keys]
        return np.stack([self._shards[shard][row] for shard, row in places])

    def _encode(self, keys: list[bytes], contents: list[bytes]) -> None:
        self._remove_unfinished_shards()
        shard_keys: list[bytes] = []
        shard_vectors: list[np.ndarray] = []
        for rows, vectors in self._loaded_encoder().encode(contents):
            shard_keys.extend(keys[row] for row in rows)
            shard_vectors.append(vectors)
            if len(shard_keys) >= self._shard_size:
                self._write_shard(shard_keys, np.concatenate(shard_vectors))
                shard_keys, shard_vectors = [], []
        if shard_keys:
            self._write_shard(shard_keys, np.concatenate(shard_vectors))

    def _loaded_encoder(self) -> "BatchEncoder":
        if self._encoder is None:
            # TensorFlow takes seconds to import, and most runs find every text in the folder.
            from tfrec.towers.bert.encoding import BatchEncoder

            self._encoder = BatchEncoder(self._load_tower())
        return self._encoder

    def _load_frozen_tower(self) -> "BertTextTower":
        from tfrec.towers.bert.tower import BertTextTower

        return BertTextTower.from_files(self._files, "frozen", max_tokens=self._max_tokens)

    def _read_new_shards(self) -> None:
        for path in sorted(self.folder.glob("*.npz")):
            if path in self._shards:
                continue
            try:
                keys, vectors = _read_shard(path)
            except FileNotFoundError:
                continue  # another process found it damaged and removed it
            except PermissionError as error:
                raise UserError(
                    f"not allowed to read {path}; choose another folder for text vectors"
                ) from error
            # A damaged archive fails in many ways: in zip's structure, its checksums, numpy's
            # header. Every one means the same.
            except Exception as error:
                _log.warning("removing %s, which is damaged (%s)", path, error)
                with disk_errors_as_user_errors(path):
                    path.unlink(missing_ok=True)
                continue
            self._add(path, keys, vectors)

    def _write_shard(self, keys: list[bytes], vectors: np.ndarray) -> None:
        path = self.folder / f"{uuid.uuid4().hex}.npz"
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES),
                vectors=vectors.astype(np.float32),
            )
        self._add(path, keys, vectors)

    def _add(self, path: Path, keys: list[bytes], vectors: np.ndarray) -> None:
        self._shards[path] = vectors
        self._places.update({key: (path, row) for row, key in enumerate(keys)})

    def _remove_unfinished_shards(self) -> None:
        for part in self.folder.glob(".*.part"):
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                part.unlink(missing_ok=True)


def utf8(text: str) -> bytes:
    """Returns a text as the tokenizer reads it.

    Raises:
        ValueError: if it is no text.
    """
    if not isinstance(text, str):
        raise ValueError(f"`texts` should hold strings. Received: {text!r}")
    # Half of a surrogate pair, as broken JSON may hold, has no UTF-8; it becomes "?".
    return text.encode("utf-8", errors="replace")


def _read_shard(path: Path) -> tuple[list[bytes], np.ndarray]:
    """Returns the keys and vectors of a shard; zip's CRC-32 of each is checked on the way."""
    with np.load(path, allow_pickle=False) as shard:
        keys, vectors = shard["keys"], shard["vectors"]
    if (
        keys.dtype != np.uint8
        or vectors.dtype != np.float32
        or vectors.ndim != 2
        or keys.shape != (len(vectors), _KEY_BYTES)
    ):
        raise ValueError("not a shard of text vectors")
    return [row.tobytes() for row in keys], vectors
