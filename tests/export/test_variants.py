"""Another shop: a trained BERT, items shown once only, odd names, vectors, experts, bytes."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.evaluation.small_shop import make_histories
from tests.export.asking import ask
from tests.export.conftest import load
from tests.export.shop import events_frame, items_frame, make_run
from tfrec.errors import UserError
from tfrec.export.bundle import Bundle
from tfrec.export.exporter import export_run
from tfrec.export.refresh import refresh_index
from tfrec.models.recommender import Retriever
from tfrec.towers.histories import pad_histories
from tfrec.training.loading import TrainedRun

NAMES = {"purchase": "add to cart", "return": "zurück"}
SOUND = "sound / 音"


def items_with_vectors():
    """The shop's items; a third has a picture, half a sound."""
    vectors = np.random.default_rng(8).normal(size=(12, 3)).astype(np.float32)
    return items_frame().assign(
        image_embedding=[list(row) if place % 3 else None for place, row in enumerate(vectors)],
        **{SOUND: [[1.0, float(place)] if place % 2 else None for place in range(12)]},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variant")
    events = events_frame().rename(columns={"country": "device type"})
    run = make_run(
        folder,
        events.assign(event=events["event"].map(NAMES)),
        items_with_vectors(),
        data={
            "vector_columns": ["image_embedding", SOUND],
            "context_columns": ["device type"],
            "purchase_event": NAMES["purchase"],
            "return_event": NAMES["return"],
        },
        text={"policy": "full"},
        evaluation={"repeats": "exclude"},
        ranking={"experts": 2},
        export={"item_vectors": "int8"},
    )
    export_run(run, folder / "models")
    return folder


@pytest.fixture(scope="module")
def signatures(folder):
    return {path.name: load(path).signatures for path in (folder / "models").iterdir()}


def history(items, events):
    return {
        "history_item_id": tf.constant([items]),
        "history_event": tf.constant([events]),
        "history_timestamp": tf.zeros([1, len(items)], tf.int64),
        "context_device_type": tf.constant(["NL"]),
        "exclude_item_id": tf.constant([[""]]),
    }


def test_names_become_valid(signatures):
    answer = ask(
        signatures["recommender"]["serving_default"],
        history(["item-00", "item-05"], ["add to cart", "zurück"]),
    )
    assert {"probability_add_to_cart", "probability_zur_ck"} <= set(answer)
    assert set(answer["reason_item_id"][0]) == {"item-00"}


@pytest.mark.parametrize("model", ["retrieval", "recommender"])
def test_items_of_the_history_are_not_shown_again(signatures, model):
    # More than the behaviour tower reads (6) and the ranking features (8): all of them count.
    had = [f"item-{i:02}" for i in range(10) if i != 3]
    answer = ask(signatures[model]["serving_default"], history(had, [""] * len(had)))["item_id"][0]
    assert set(answer[answer != ""]) == {"item-10", "item-11"}


def test_items_are_found_by_vectors_of_bytes(signatures, folder):
    run = TrainedRun.open(folder / "run")
    exact = Retriever(run.retrieval)
    shape = [13, run.config.retrieval.dimension]
    assert exact.vectors.shape == shape
    for model in ("retrieval", "ranking", "recommender"):
        path = max((folder / "models" / model).iterdir()) / "variables" / "variables"
        kept = tf.train.load_checkpoint(str(path))
        kinds, shapes = kept.get_variable_to_dtype_map(), kept.get_variable_to_shape_map()
        assert [shapes[name] for name, kind in kinds.items() if kind == tf.int8] == [shape]
    cosines = exact.vectors.numpy() @ exact.vectors.numpy()[6]
    alike = ask(signatures["retrieval"]["similar"], {"item_id": tf.constant(["item-05"])})
    for item, score in zip(alike["item_id"][0], alike["score"][0], strict=True):
        if item:
            assert score == pytest.approx(cosines[1 + int(item[-2:])], abs=0.02)
    request = history(["item-00", "item-05"], ["add to cart"] * 2)
    del request["exclude_item_id"]
    request["context_device_type"] = tf.constant([""])
    event = 1 + run.dataset.event_types.index("add to cart")
    shopper = pad_histories(make_histories([[(1, event), (6, event)]]), 6)
    shopper["context/device type"] = tf.constant([[0, 0]], tf.int64)
    embedded = ask(signatures["retrieval"]["embed_query"], request)["embedding"]
    assert np.sum(embedded * exact.query_vectors(shopper)) == pytest.approx(1.0, abs=0.01)


def test_search_reads_queries_with_the_trained_bert(signatures, folder):
    run = TrainedRun.open(folder / "run")
    untrained = run.dataset.items["text"].tolist()
    request = history(["", ""], ["", ""])
    del request["exclude_item_id"]
    answer = ask(
        signatures["retrieval"]["search"], request | {"query": tf.constant([untrained[5]])}
    )
    assert answer["item_id"][0, 0] == "item-05"
    np.testing.assert_allclose(answer["score"][0, 0], 1.0, atol=1e-5)


def described(items, **vectors):
    """Inputs of `embed_item` for rows of an item table."""
    texts = {
        name: tf.constant(items[name].tolist())
        for name in ("title", "description", "brand", "categories")
    }
    return {**texts, "price": tf.constant(items["price"], tf.float32), **vectors}


def test_vectors_are_inputs_of_described_products(signatures, folder):
    embed = signatures["retrieval"]["embed_item"]
    items = items_with_vectors()
    both = {"image_embedding": 3, "sound____": 2}
    given = {
        name: tf.constant([[0.0] * size if row is None else row for row in items[column]])
        for (name, size), column in zip(both.items(), ["image_embedding", SOUND], strict=True)
    }
    answer = ask(embed, described(items, **given))["embedding"]
    model = TrainedRun.open(folder / "run").retrieval
    features = model.catalogue.all_features()
    alone = model.item_tower({**features, "id": tf.zeros_like(features["id"])})
    placed = model.item_tower(features, offsets=model.id_offsets.placement().offsets(alone))
    np.testing.assert_allclose(answer, placed[1:], atol=1e-4)
    nothing = {name: tf.zeros([12, size]) for name, size in both.items()}
    unseen = ask(embed, described(items, **nothing))["embedding"]
    moved = np.abs(unseen - answer).max(axis=1) > 1e-3
    has = items[["image_embedding", SOUND]].notna().any(axis=1)
    assert moved.tolist() == has.tolist()
    # What is not finite is absent, too, as clients may send it.
    odd = {name: tf.fill([12, size], np.float32("nan")) for name, size in both.items()}
    np.testing.assert_array_equal(ask(embed, described(items, **odd))["embedding"], unseen)


def test_a_refresh_without_the_run_reads_new_texts_with_the_trained_bert(folder, tmp_path):
    for gone in ("run", "data"):
        (folder / gone).rename(tmp_path / gone)
    items = tmp_path / "items.csv"
    pd.DataFrame(
        {
            "item_id": ["n", "bare", "item-00", "cut", "odd"],
            "title": ["blue usb shade", "blue usb shade", "", "x", "y"],
            "image_embedding": ["[1, 2, 3]", "", "[3, 2, 1]", "[1, 2]", "[1, 2, NaN]"],
        }
    ).to_csv(items, index=False)
    refreshed = refresh_index(folder / "models", items)
    assert refreshed.encoded == 1 and (refreshed.new, refreshed.changed) == (2, 1)
    assert refreshed.rejected == {
        "not_finite:image_embedding": 1,
        "wrong_length:image_embedding": 1,
    }
    retrieval = load(folder / "models" / "retrieval").signatures
    # Asked for by their descriptions, which differ in the picture alone.
    like = ask(retrieval["similar"], {"item_id": tf.constant(["n", "bare"])})
    assert np.abs(like["score"][0] - like["score"][1]).max() > 1e-4
    table = Bundle.open(folder / "models").items().set_index("item_id")["image_embedding"]
    assert table["n"].tolist() == [1, 2, 3] and table["bare"] is None
    assert table["item-00"].tolist() == [3, 2, 1] and table["item-01"] is not None
    request = history([""], [""])
    del request["exclude_item_id"]
    answer = ask(retrieval["search"], request | {"query": tf.constant(["blue usb shade"])})
    assert set(answer["item_id"][0, :2]) == {"n", "bare"}
    np.testing.assert_allclose(answer["score"][0, :2], 1.0, atol=1e-5)
    pd.DataFrame({"item_id": ["m"], "title": ["lamp"], "image_embedding": ["[1, 2, 3, 4]"]}).to_csv(
        items, index=False
    )
    with pytest.raises(UserError, match=r"vectors of 4 numbers, but the models .* on 3"):
        refresh_index(folder / "models", items)
