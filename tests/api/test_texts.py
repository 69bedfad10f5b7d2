"""What a BERT makes of texts: pieces, vectors, and how much of it a policy trains."""

import numpy as np
import pytest

import tfrec
from tests.tiny_bert import write_tiny_bert


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp("bert") / "bert")


def reader_of(folder, **text):
    return tfrec.TextReader({"text": {"bert": str(folder), "max_tokens": 16, **text}})


def test_pieces(folder):
    pieces = reader_of(folder).pieces(["Red lamps", "智能猫"])
    assert pieces == [
        ["[CLS]", "red", "lamp", "##s", "[SEP]"],
        ["[CLS]", "智", "能", "[UNK]", "[SEP]"],
    ]
    assert reader_of(folder).unknown(["Red lamps", "智能猫"]) == 1 / 10


def test_vectors_and_similarity(folder):
    reader = reader_of(folder)
    vectors = reader.vectors(["red lamp", "blue cable"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    cosines = reader.similarity(["red lamp"], ["red lamp", "blue cable"])
    assert list(cosines.index) == ["red lamp"] and list(cosines) == ["red lamp", "blue cable"]
    np.testing.assert_allclose(cosines.to_numpy(), vectors[:1] @ vectors.T, atol=1e-6)
    assert reader.similarity(["red lamp", "heart"]).shape == (2, 2)


def test_policies_train_shares_of_the_bert(folder):
    shares = [
        reader_of(folder, policy=policy, top_n=1).trained_weights
        for policy in ("frozen", "top-n", "full")
    ]
    assert shares[0] == 0 < shares[1] < shares[2] <= reader_of(folder).weights


def test_items_are_read_from_the_cache_of_the_data_set(recommender, dataset):
    vectors = tfrec.TextReader(recommender.config).items(dataset)
    assert vectors.equals(recommender.text_vectors())
