"""BERT's WordPiece tokenizer as TensorFlow graph ops, its vocabulary an asset of the graph.

It gives the token ids that Hugging Face's ``BertTokenizerFast`` gives, special tokens that a
text spells out (``[SEP]``) included, and uses ops of TensorFlow and TF Text only, so that a
stock model server can run it.
"""

import dataclasses
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
import tensorflow_text as tf_text

from tfrec.errors import UserError
from tfrec.files import read_json
from tfrec.towers.bert.weights import BertFiles

PAD, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL_TOKENS = (PAD, UNKNOWN, START, END, MASK)

# Longer words become [UNK] as a whole, as in the reference implementation.
_MAX_WORD_CHARACTERS = 100
_MAX_UTF8_BYTES = 4

# Special tokens travel through normalisation as private-use characters, which no text can hold
# by then: those of the text itself were replaced before.
_SENTINELS = r"[\x{E000}-\x{E004}]"
_PRIVATE_USE = r"\p{Co}"
_ZERO_WIDTH_SPACE = "\u200b"
_WHITE_SPACE = r"[\t\n\r\p{Z}]+"
_INVISIBLE = r"[\x{FFFD}\p{Cc}\p{Cf}]+"
_ACCENTS = r"\p{Mn}+"
# BERT counts every ASCII symbol as punctuation ("$", "^"), besides Unicode's class P.
_PUNCTUATION = r"[!-/:-@\[-`{-~\p{P}]"
_CJK = (
    r"[\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}"
    r"\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}]"
)


class Tokens(NamedTuple):
    """A padded batch of token ids.

    Attributes:
        token_ids: int32 [batch, length]; 0 beyond a text's end.
        padding_mask: bool [batch, length]; true where there is a token.
    """

    token_ids: tf.Tensor
    padding_mask: tf.Tensor


@dataclasses.dataclass(frozen=True)
class TokenizerSettings:
    """How a BERT's vocabulary expects text to be prepared.

    Attributes:
        lowercase: whether text is lower-cased.
        strip_accents: whether text is decomposed (NFD) and its accents are dropped.
        split_cjk: whether every CJK character is a word of its own.
    """

    lowercase: bool = True
    strip_accents: bool = True
    split_cjk: bool = True

    @classmethod
    def of(cls, files: BertFiles) -> "TokenizerSettings":
        """Reads ``tokenizer_config.json``, or looks for capitals in the vocabulary.

        Raises:
            UserError: if ``tokenizer_config.json`` is not a JSON object.
        """
        config = read_json(files.tokenizer_config) if files.tokenizer_config.is_file() else {}
        if not isinstance(config, dict):
            raise UserError(f"{files.tokenizer_config} should hold a JSON object")
        lowercase = config.get("do_lower_case")
        if lowercase is None:
            lowercase = not any(
                token != token.lower()
                for token in read_vocabulary(files.vocabulary)
                if not (token.startswith("[") and token.endswith("]"))
            )
        strip_accents = config.get("strip_accents")
        return cls(
            lowercase=bool(lowercase),
            strip_accents=bool(lowercase if strip_accents is None else strip_accents),
            split_cjk=bool(config.get("tokenize_chinese_chars", True)),
        )


def read_vocabulary(path: Path) -> list[str]:
    """Returns the tokens of a ``vocab.txt``, one a line; a token's index is its id.

    Raises:
        UserError: if the file is missing, is not UTF-8, or lacks a special token.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise UserError(f"there is no vocabulary {path}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the vocabulary {path} is not UTF-8 text ({error})") from error
    # Not splitlines(): vocabularies hold tokens such as U+2028 that it would split at.
    tokens = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    missing = [token for token in (PAD, UNKNOWN, START, END) if token not in tokens]
    if missing:
        raise UserError(
            f"the vocabulary {path} lacks the special tokens {', '.join(missing)}; it should hold "
            "one WordPiece a line"
        )
    return tokens


class BertTokenizer(tf.Module):
    """Turns texts into BERT's token ids inside the graph.

    Args:
        vocabulary: path of a ``vocab.txt``; becomes an asset of every SavedModel.
        settings: how text is prepared.
        max_tokens: longest row, ``[CLS]`` and ``[SEP]`` included; longer texts are cut.

    Raises:
        UserError: if the vocabulary cannot be used.
    """

    def __init__(
        self, vocabulary: str | Path, settings: TokenizerSettings, max_tokens: int = 128
    ) -> None:
        super().__init__(name="bert_tokenizer")
        if max_tokens < 3:
            raise ValueError(f"`max_tokens` should be at least 3. Received: {max_tokens}")
        self.settings = settings
        self.max_tokens = max_tokens
        self.vocabulary_path = Path(vocabulary)
        tokens = read_vocabulary(self.vocabulary_path)
        self.vocabulary_size = len(tokens)
        self._pad_id = tokens.index(PAD)
        self._start_id = tokens.index(START)
        self._end_id = tokens.index(END)
        self._special_tokens = [token for token in SPECIAL_TOKENS if token in tokens]
        asset = self._loadable_vocabulary(tokens)
        self._table = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                str(asset),
                key_dtype=tf.string,
                key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
                value_dtype=tf.int64,
                value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            num_oov_buckets=1,
        )
        self._word_piece = tf_text.WordpieceTokenizer(
            self._table,
            token_out_type=tf.int64,
            unknown_token=UNKNOWN,
            max_bytes_per_word=_MAX_WORD_CHARACTERS * _MAX_UTF8_BYTES,
        )

    def _loadable_vocabulary(self, tokens: list[str]) -> Path:
        """Returns a file that TensorFlow's table reads as `tokens`: Unix lines, each once."""
        last = {token: index for index, token in enumerate(tokens)}
        # As in the reference, the last of equal lines wins; no word can hold the space.
        unique = [
            token if last[token] == index else f"duplicate {index}"
            for index, token in enumerate(tokens)
        ]
        content = ("\n".join(unique) + "\n").encode()
        if content == self.vocabulary_path.read_bytes():
            return self.vocabulary_path
        # Kept as long as the tokenizer, because an export copies the asset when it is written.
        self._scratch = tempfile.TemporaryDirectory(prefix="tfrec-vocabulary-")
        path = Path(self._scratch.name) / self.vocabulary_path.name
        path.write_bytes(content)
        return path

    def __call__(self, texts: tf.Tensor) -> Tokens:
        """Tokenizes a batch and pads it to its longest row.

        Args:
            texts: string [batch]; invalid UTF-8 is dropped, never an error.

        Returns:
            `Tokens` of shape [batch, length], length <= `max_tokens`.
        """
        rows = self.tokenize(texts)
        token_ids = rows.to_tensor(default_value=self._pad_id)
        return Tokens(token_ids, tf.sequence_mask(rows.row_lengths(), tf.shape(token_ids)[1]))

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Returns int32 [batch, (length)]: ``[CLS]``, at most `max_tokens` - 2 ids, ``[SEP]``."""
        texts = tf.convert_to_tensor(texts, tf.string)
        pieces = self._word_piece.tokenize(self._words(texts)).merge_dims(-2, -1)
        pieces = tf.cast(pieces[:, : self.max_tokens - 2], tf.int32)
        edge = tf.ones([tf.shape(texts)[0], 1], tf.int32)
        return tf.concat([edge * self._start_id, pieces, edge * self._end_id], axis=1)

    def _words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Splits at white space, punctuation, CJK characters and special tokens."""
        kept = "|".join([_PUNCTUATION, _SENTINELS] + ([_CJK] if self.settings.split_cjk else []))
        words = tf_text.regex_split(
            self._normalised(texts),
            delim_regex_pattern=f"{kept}|{_WHITE_SPACE}",
            keep_delim_regex_pattern=kept,
        )
        flat = words.flat_values
        too_long = tf.strings.length(flat, unit="UTF8_CHAR") > _MAX_WORD_CHARACTERS
        flat = tf.where(too_long, UNKNOWN, flat)
        for index, token in enumerate(self._special_tokens):
            flat = tf.where(tf.equal(flat, _sentinel(index)), token, flat)
        return words.with_flat_values(flat)

    def _normalised(self, texts: tf.Tensor) -> tf.Tensor:
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        texts = tf.strings.regex_replace(texts, _PRIVATE_USE, _ZERO_WIDTH_SPACE)
        for index, token in enumerate(self._special_tokens):
            texts = tf.strings.regex_replace(texts, re.escape(token), _sentinel(index))
        texts = tf.strings.regex_replace(texts, _WHITE_SPACE, " ")
        texts = tf.strings.regex_replace(texts, _INVISIBLE, "")
        if self.settings.strip_accents:
            texts = tf_text.normalize_utf8(texts, "NFD")
            texts = tf.strings.regex_replace(texts, _ACCENTS, "")
        if self.settings.lowercase:
            # `lower` follows the locale of the process (Turkish has another small letter for
            # "I") and the place in the word (a final sigma); a vocabulary expects neither.
            texts = tf.strings.regex_replace(texts, "I", "i")
            texts = tf.strings.regex_replace(texts, "\u03a3", "\u03c3")
            texts = tf.strings.lower(texts, encoding="utf-8")
        return texts


def _sentinel(index: int) -> str:
    return chr(0xE000 + index)
