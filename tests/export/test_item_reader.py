"""The graph reads a described product as the preparation of data reads a catalogue."""

import numpy as np
import pytest
import tensorflow as tf

from tests.data.shop import table_of
from tfrec.config import DataConfig
from tfrec.data.catalogue import build_catalogue
from tfrec.export.item_reader import ItemReader, phrase
from tfrec.towers.features import ItemFeatures
from tfrec.towers.spec import DataSpec

COLUMNS = {
    "item_id": [f"i{number}" for number in range(8)],
    "title": [
        "  Red   lamp ", "Plain", "\u00a0Tabs\tand\u2003more\n", "Käse 起司", "", "x", "y", "z",
    ],
    "description": ["", "two\n\nlines ", "\u3000", ". ", "only this", "", "\x1c\x1d", "a. b"],
    "brand": ["Acme", "", " ", "\u2028", "Big  Brand", "acme", "Nobody", "Acme "],
    "categories": [
        "a,b", "b , a", "a,a,b", ",,", "unheard of", "", "a  b,\u00a0c\u00a0", "c,unheard of,c",
    ],
    "material": ["oak", "", " pine ", "oak/ash", "steel", "ash/oak/ash", "", "oak"],
}  # fmt: skip
CONFIG = DataConfig.model_validate(
    {
        "text_columns": ["title", "brand", "material", "description"],
        "categorical_columns": [
            {"column": "brand"},
            {"column": "categories", "separator": ","},
            {"column": "material", "separator": "/"},
        ],
    }
)
VOCABULARIES = {
    "brand": ["", "Acme", "Big Brand"],
    "categories": ["", "a", "b", "c", "a b"],
    "material": ["", "ash", "oak", "pine"],
}


def read(config, columns, vocabularies):
    """Returns what the preparation makes of the columns, and what the graph does."""
    catalogue = build_catalogue(table_of(**columns), config).frame
    spec = DataSpec(
        num_ids=1, text_dimension=2, vector_sizes={"image_embedding": 3}, use_price=True,
        categories=vocabularies,
        event_types=["purchase"], target_events=["purchase"], return_event=None, contexts={},
    )  # fmt: skip
    reader = ItemReader(config, spec, catalogue)
    names = [name for name in reader.inputs if name not in ("price", "image_embedding")]
    size = len(columns["item_id"])
    inputs = {name: tf.constant(columns.get(name, [""] * size)) for name in names}
    inputs["price"] = tf.fill([size], np.float32("nan"))
    inputs["image_embedding"] = tf.ones([size, 3])
    text = reader.text(inputs)
    vectors = tf.zeros([size, 2])
    return catalogue, text, reader.features(inputs, vectors), reader


def test_texts_are_composed_alike():
    catalogue, text, _, _ = read(CONFIG, COLUMNS, VOCABULARIES)
    assert [value.decode() for value in text.numpy()] == catalogue["text"].tolist()
    assert catalogue["text"].tolist()[0] == "Red lamp. Acme. oak"


def test_categories_are_read_alike():
    catalogue, _, features, _ = read(CONFIG, COLUMNS, VOCABULARIES)
    expected = ItemFeatures.build(
        catalogue, np.zeros((len(catalogue), 2), np.float32), VOCABULARIES
    ).categories
    for column, table in expected.items():
        found = [sorted(row[row > 0]) for row in features[f"category/{column}"].numpy()]
        assert found == [sorted(row[row > 0]) for row in table[1:]], column
    assert [1, 2] in [sorted(row[row > 0]) for row in expected["categories"]]


def test_lists_of_the_catalogue_are_split_at_commas():
    config = DataConfig.model_validate(
        {"text_columns": ["title", "tags"], "categorical_columns": [{"column": "tags"}]}
    )
    lists = {"item_id": ["i0", "i1"], "title": ["one", "two"], "tags": [["a", "b"], ["c"]]}
    words = {**lists, "tags": ["a, b", "c"]}
    vocabularies = {"tags": ["", "a", "b", "c"]}
    catalogue = build_catalogue(table_of(**lists), config).frame
    spec = DataSpec(
        num_ids=1, text_dimension=2, vector_sizes={}, use_price=False, categories=vocabularies,
        event_types=["purchase"], target_events=["purchase"], return_event=None, contexts={},
    )  # fmt: skip
    reader = ItemReader(config, spec, catalogue)
    inputs = {name: tf.constant(words.get(name, ["", ""])) for name in reader.inputs}
    inputs["price"] = tf.constant([1.0, 2.0])
    features = reader.features(inputs, tf.zeros([2, 2]))
    assert features["category/tags"].numpy().tolist() == [[1, 2], [3, 0]]
    assert [text.decode() for text in reader.text(inputs).numpy()] == catalogue["text"].tolist()
    assert catalogue["text"].tolist() == ["one. a, b", "two. c"]


def test_a_product_has_no_id_but_may_have_vectors():
    _, _, features, reader = read(CONFIG, COLUMNS, VOCABULARIES)
    assert not features["id"].numpy().any()
    assert features["vector/image_embedding"].numpy().tolist() == [[1.0, 1.0, 1.0]] * 8
    assert list(reader.inputs) == [
        "title", "description", "brand", "categories", "material", "price", "image_embedding",
    ]  # fmt: skip


@pytest.mark.parametrize("code", [0x9, 0xB, 0x1C, 0x85, 0xA0, 0x1680, 0x2005, 0x2029, 0x3000])
def test_every_white_space_is_one_space(code):
    space = chr(code)
    assert space.isspace()
    assert phrase(tf.constant(f"{space}a{space}{space}b{space}")).numpy() == b"a b"


def test_invisible_characters_are_not_white_space():
    text = "\u200ba\ufeffb\u200b"
    assert phrase(tf.constant(text)).numpy().decode() == text
