import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from tests.tiny_bert import vocabulary, write_tiny_bert
from tfrec.errors import UserError
from tfrec.towers.bert.tokenizer import BertTokenizer, TokenizerSettings, read_vocabulary
from tfrec.towers.bert.weights import find_weights

REFERENCE = json.loads((Path(__file__).parent / "wordpiece_reference.json").read_text())
SETTINGS = {
    "uncased": TokenizerSettings(),
    "cased": TokenizerSettings(lowercase=False, strip_accents=False),
    "lowercase_with_accents": TokenizerSettings(strip_accents=False),
    "cased_without_accents": TokenizerSettings(lowercase=False),
    "cjk_together": TokenizerSettings(split_cjk=False),
}


@pytest.fixture(scope="module")
def minilm():
    return find_weights()


@pytest.fixture
def tiny(tmp_path):
    return find_weights(write_tiny_bert(tmp_path / "bert"))


def tokens_of(tokenizer, text):
    """The tokens of one text, spelt out."""
    names = read_vocabulary(tokenizer.vocabulary_path)
    return [names[index] for index in tokenizer.tokenize(tf.constant([text])).to_list()[0]]


@pytest.mark.parametrize("name", SETTINGS)
def test_token_ids_are_those_of_the_reference_implementation(minilm, name):
    tokenizer = BertTokenizer(minilm.vocabulary, SETTINGS[name], max_tokens=512)
    got = tokenizer.tokenize(tf.constant(REFERENCE["texts"])).to_list()
    wrong = {
        text: (expected, received)
        for text, expected, received in zip(
            REFERENCE["texts"], REFERENCE["token_ids"][name], got, strict=True
        )
        if expected != received
    }
    assert wrong == {}


def test_lower_casing_does_not_follow_the_locale(minilm):
    program = (
        "import tfrec, tensorflow as tf\n"
        "from tfrec.towers.bert.tokenizer import BertTokenizer, TokenizerSettings\n"
        f"tokenizer = BertTokenizer({str(minilm.vocabulary)!r}, TokenizerSettings())\n"
        "print(tokenizer.tokenize(tf.constant(['WHITE LIGHT'])).to_list()[0])\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout.splitlines()[-1]) == [101, 2317, 2422, 102]


def test_words_are_split_into_pieces_by_hand(tiny):
    tokenizer = BertTokenizer(tiny.vocabulary, TokenizerSettings.of(tiny))
    assert tokens_of(tokenizer, "Red DRESS, 2 lamps!") == [
        *["[CLS]", "red", "dress", ",", "2", "lamp", "##s", "!", "[SEP]"]
    ]
    assert tokens_of(tokenizer, "智能手表watch") == [
        *["[CLS]", "智", "能", "手", "表", "w", "##a", "##t", "##c", "##h", "[SEP]"]
    ]


def test_batch_is_padded_to_its_longest_row_and_masked(tiny):
    tokenizer = BertTokenizer(tiny.vocabulary, TokenizerSettings.of(tiny))
    token_ids, mask = tokenizer(tf.constant(["red", "", "red cotton dress"]))
    names = read_vocabulary(tiny.vocabulary)
    red, cotton, dress = (names.index(word) for word in ("red", "cotton", "dress"))
    assert token_ids.dtype == tf.int32
    assert token_ids.numpy().tolist() == [
        [2, red, 3, 0, 0],
        [2, 3, 0, 0, 0],
        [2, red, cotton, dress, 3],
    ]
    assert mask.numpy().astype(int).tolist() == [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]]


def test_pad_token_spelt_in_a_text_is_not_masked(tiny):
    tokenizer = BertTokenizer(tiny.vocabulary, TokenizerSettings.of(tiny))
    token_ids, mask = tokenizer(tf.constant(["[PAD] red"]))
    assert token_ids.numpy()[0, 1] == 0
    assert mask.numpy().all()


def test_long_texts_are_cut_and_end_in_sep(tiny):
    tokenizer = BertTokenizer(tiny.vocabulary, TokenizerSettings.of(tiny), max_tokens=4)
    assert tokens_of(tokenizer, "red cotton dress lamp") == ["[CLS]", "red", "cotton", "[SEP]"]
    assert tokens_of(tokenizer, "red cotton") == ["[CLS]", "red", "cotton", "[SEP]"]


@pytest.mark.parametrize("text", ["a" * 10_000, "red " * 2_500, "智" * 10_000, "é😀" * 5_000])
def test_ten_thousand_characters_are_cut(tiny, text):
    tokenizer = BertTokenizer(tiny.vocabulary, TokenizerSettings.of(tiny), max_tokens=16)
    row = tokenizer.tokenize(tf.constant([text])).to_list()[0]
    assert row[0] == 2
    assert row[-1] == 3
    assert len(row) == (16 if text[0] in "r智" else 3)  # a word over 100 characters is one [UNK]


def test_invalid_utf8_is_dropped(tiny):
    tokenizer = BertTokenizer(tiny.vocabulary, TokenizerSettings.of(tiny))
    assert tokens_of(tokenizer, b"re\xff\xfed \xe4\xb8 dress\x80") == [
        *["[CLS]", "red", "dress", "[SEP]"]
    ]
    assert tokens_of(tokenizer, b"\xc3") == ["[CLS]", "[SEP]"]


def test_empty_batch(tiny):
    tokenizer = BertTokenizer(tiny.vocabulary, TokenizerSettings.of(tiny))
    token_ids, mask = tokenizer(tf.constant([], tf.string))
    assert token_ids.shape[0] == 0
    assert mask.shape[0] == 0


def test_settings_come_from_tokenizer_config(tmp_path):
    files = find_weights(
        write_tiny_bert(
            tmp_path,
            tokenizer_config={
                "do_lower_case": False,
                "strip_accents": None,
                "tokenize_chinese_chars": False,
            },
        )
    )
    assert TokenizerSettings.of(files) == TokenizerSettings(
        lowercase=False, strip_accents=False, split_cjk=False
    )


def test_settings_without_tokenizer_config_come_from_the_vocabulary(tmp_path):
    lower = find_weights(write_tiny_bert(tmp_path / "lower"))
    cased = find_weights(write_tiny_bert(tmp_path / "cased", tokens=[*vocabulary(), "Paris"]))
    assert TokenizerSettings.of(lower) == TokenizerSettings(lowercase=True, strip_accents=True)
    assert TokenizerSettings.of(cased) == TokenizerSettings(lowercase=False, strip_accents=False)


def test_tokenizer_config_must_be_an_object(tiny):
    tiny.tokenizer_config.write_text("[]")
    with pytest.raises(UserError, match=r"tokenizer_config\.json should hold a JSON object"):
        TokenizerSettings.of(tiny)


def test_vocabulary_with_windows_lines_and_duplicates(tmp_path):
    files = find_weights(write_tiny_bert(tmp_path))
    tokens = vocabulary()
    tokens[tokens.index("blue")] = "red"  # twice now: the reference gives the last one's id
    files.vocabulary.write_bytes("\r\n".join(tokens).encode())
    tokenizer = BertTokenizer(files.vocabulary, TokenizerSettings())
    last = len(tokens) - 1 - tokens[::-1].index("red")
    assert tokenizer.vocabulary_size == len(tokens)
    assert tokenizer.tokenize(tf.constant(["red dress"])).to_list() == [
        [2, last, tokens.index("dress"), 3]
    ]


def test_vocabulary_line_that_is_a_line_separator_keeps_the_ids(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n\u2028\nred\n", encoding="utf-8")
    tokenizer = BertTokenizer(path, TokenizerSettings())
    assert tokenizer.tokenize(tf.constant(["red"])).to_list() == [[2, 5, 3]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[PAD]\n[UNK]\nred\n", r"lacks the special tokens \[CLS\], \[SEP\]"),
        (b"", "lacks the special tokens"),
        (b"[PAD]\n\xff\xfe\n", "is not UTF-8"),
        (None, "there is no vocabulary"),
    ],
)
def test_unusable_vocabulary_is_a_user_error(tmp_path, content, sentence):
    path = tmp_path / "vocab.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        BertTokenizer(path, TokenizerSettings())


def test_max_tokens_must_leave_room_for_a_token(tiny):
    with pytest.raises(ValueError, match=r"`max_tokens` should be at least 3\. Received: 2"):
        BertTokenizer(tiny.vocabulary, TokenizerSettings(), max_tokens=2)
