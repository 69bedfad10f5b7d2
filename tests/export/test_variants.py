"""Another shop: a trained BERT, items shown once only, and names that are no identifiers."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.export.asking import ask
from tests.export.conftest import load
from tests.export.shop import events_frame, make_run
from tfrec.export.exporter import export_run
from tfrec.export.refresh import refresh_index
from tfrec.training.loading import TrainedRun

NAMES = {"purchase": "add to cart", "return": "zurück"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variant")
    events = events_frame().rename(columns={"country": "device type"})
    run = make_run(
        folder,
        events.assign(event=events["event"].map(NAMES)),
        data={
            "context_columns": ["device type"],
            "purchase_event": NAMES["purchase"],
            "return_event": NAMES["return"],
        },
        text={"policy": "full"},
        evaluation={"repeats": "exclude"},
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


def test_a_refresh_without_the_run_reads_new_texts_with_the_trained_bert(folder, tmp_path):
    for gone in ("run", "data"):
        (folder / gone).rename(tmp_path / gone)
    items = tmp_path / "items.csv"
    pd.DataFrame({"item_id": ["n"], "title": ["blue usb shade"]}).to_csv(items, index=False)
    refreshed = refresh_index(folder / "models", items)
    assert refreshed.encoded == 1
    retrieval = load(folder / "models" / "retrieval").signatures
    request = history([""], [""])
    del request["exclude_item_id"]
    answer = ask(retrieval["search"], request | {"query": tf.constant(["blue usb shade"])})
    assert answer["item_id"][0, 0] == "n"
    np.testing.assert_allclose(answer["score"][0, 0], 1.0, atol=1e-5)
