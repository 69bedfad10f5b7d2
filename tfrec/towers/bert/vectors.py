"""Text vectors of a frozen BERT, kept on disk by content, so that no text is encoded twice."""

import hashlib
import uuid
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfrec.files import atomic_file, disk_errors_as_user_errors
from tfrec.towers.bert.weights import BertFiles

if TYPE_CHECKING:
    from tfrec.towers.bert.tower import BertTextTower

# Part of the folder's name: raise it when the same text and weights give other vectors.
_ENCODING_VERSION = 1
_KEY_BYTES = hashlib.sha256().digest_size
_TEXTS_PER_SHARD = 1000


class TextVectors:
    """The vectors of texts under one frozen BERT, encoded once and then read from disk.

    A vector's key is the SHA-256 of its text; the folder is named by the fingerprint of the
    BERT and by `max_tokens`. Every thousand texts make a shard that is written atomically, so
    that a run that is killed loses at most one shard, and several processes may share a folder.
    A shard that cannot be read is removed and its texts are encoded again.

    Args:
        cache_dir: folder under which the folder of this BERT lies; created when needed.
        files: the BERT.
        max_tokens: longest token row; longer texts are cut.
        load_tower: builds the tower; called only when there is a text to encode. ``None``
            loads it from `files`.
    """

    def __init__(
        self,
        cache_dir: str | Path,
        files: BertFiles,
        max_tokens: int = 128,
        load_tower: "Callable[[], BertTextTower] | None" = None,
    ) -> None:
        self.folder = (
            Path(cache_dir) / f"v{_ENCODING_VERSION}-{files.fingerprint[:16]}-{max_tokens}"
        )
        self._files = files
        self._max_tokens = max_tokens
        self._load_tower = load_tower or self._load_frozen_tower
        self._tower: BertTextTower | None = None
        self._shards: dict[Path, np.ndarray] = {}
        self._index: dict[bytes, tuple[Path, int]] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Returns the vectors of `texts`, encoding those that the folder does not hold.

        Args:
            texts: n texts, in any order, with any duplicates.

        Returns:
            float32 [n, dimension], each row of length 1.

        Raises:
            UserError: if the BERT cannot be loaded or the folder cannot be written.
        """
        contents = [_as_bytes(text) for text in texts]
        keys = [hashlib.sha256(content).digest() for content in contents]
        self._read_shards()
        missing = {
            key: content
            for key, content in zip(keys, contents, strict=True)
            if key not in self._index
        }
        if missing:
            self._encode_missing(list(missing), list(missing.values()))
        if not keys:
            return np.zeros((0, self._loaded_tower().dimension), np.float32)
        return self._gather(keys)

    def _gather(self, keys: list[bytes]) -> np.ndarray:
        places = [self._index[key] for key in keys]
        result = np.empty((len(keys), self._shards[places[0][0]].shape[1]), np.float32)
        for row, (shard, place) in enumerate(places):
            result[row] = self._shards[shard][place]
        return result

    def _read_shards(self) -> None:
        for path in sorted(self.folder.glob("*.npz")):
            if path in self._shards:
                continue
            try:
                keys, vectors = _read_shard(path)
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                with disk_errors_as_user_errors(path):
                    path.unlink(missing_ok=True)
                continue
            self._add(path, keys, vectors)

    def _add(self, path: Path, keys: list[bytes], vectors: np.ndarray) -> None:
        self._shards[path] = vectors
        self._index.update({key: (path, row) for row, key in enumerate(keys)})

    def _encode_missing(self, keys: list[bytes], contents: list[bytes]) -> None:
        pending_keys: list[bytes] = []
        pending: list[np.ndarray] = []
        # TensorFlow takes seconds to import, and most calls find every text in the folder.
        from tfrec.towers.bert.encoding import BatchEncoder

        for rows, vectors in BatchEncoder(self._loaded_tower()).encode(contents):
            pending_keys.extend(keys[row] for row in rows)
            pending.append(vectors)
            if len(pending_keys) >= _TEXTS_PER_SHARD:
                self._write_shard(pending_keys, np.concatenate(pending))
                pending_keys, pending = [], []
        if pending_keys:
            self._write_shard(pending_keys, np.concatenate(pending))

    def _write_shard(self, keys: list[bytes], vectors: np.ndarray) -> None:
        path = self.folder / f"{uuid.uuid4().hex}.npz"
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES),
                vectors=vectors.astype(np.float32),
            )
        self._add(path, keys, vectors)

    def _loaded_tower(self) -> "BertTextTower":
        if self._tower is None:
            self._tower = self._load_tower()
        return self._tower

    def _load_frozen_tower(self) -> "BertTextTower":
        from tfrec.towers.bert.tower import BertTextTower

        return BertTextTower.from_files(self._files, "frozen", max_tokens=self._max_tokens)


def _as_bytes(text: str) -> bytes:
    if not isinstance(text, str):
        raise ValueError(f"`texts` should be strings. Received: {text!r}")
    # Half of a surrogate pair, as broken JSON may hold, has no UTF-8; it becomes "?".
    return text.encode("utf-8", errors="replace")


def _read_shard(path: Path) -> tuple[list[bytes], np.ndarray]:
    # The zip format carries a CRC-32 of each member, which numpy checks while it reads.
    with np.load(path, allow_pickle=False) as shard:
        keys, vectors = shard["keys"], shard["vectors"]
    if (
        keys.dtype != np.uint8
        or keys.shape != (len(vectors), _KEY_BYTES)
        or vectors.dtype != np.float32
        or vectors.ndim != 2
    ):
        raise ValueError(f"{path} is not a shard of text vectors")
    return [row.tobytes() for row in keys], vectors
