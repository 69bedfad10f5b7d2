"""New products in exported models, from the models folder alone."""

import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.export.asking import ask, history, nothing
from tests.export.conftest import NEW_ITEMS, load, write
from tests.export.shop import SOLD_OUT
from tfrec.config import ExperimentConfig
from tfrec.errors import UserError
from tfrec.export.bundle import FOLDER, Bundle
from tfrec.export.refresh import refresh_index
from tfrec.export.versions import MODELS, versions_of
from tfrec.files import read_json


@pytest.fixture(scope="module")
def before(refreshed):
    models, _ = refreshed
    return {name: load_version(models, name, 0) for name in MODELS}


@pytest.fixture(scope="module")
def after(refreshed):
    models, _ = refreshed
    return {name: load_version(models, name, 1) for name in MODELS}


def load_version(models, name, position):
    path = list(versions_of(models / name).values())[position]
    return tf.saved_model.load(str(path)).signatures


def test_every_row_is_counted_once(refreshed):
    _, result = refreshed
    assert (result.items_before, result.items_after, result.rows_in) == (12, 14, 7)
    # item-03 is sold again, item-04 has another title and price; item-00 is as it was.
    assert (result.new, result.changed, result.unchanged) == (2, 2, 1)
    assert result.rejected == {"empty_item_id": 1, "duplicate_item": 1}
    # "red lamp. Delft" is the text of a known item, too.
    assert result.encoded == 2
    rejects = pd.read_parquet(result.rejects)
    assert rejects["reason"].tolist() == ["empty_item_id", "duplicate_item"]
    assert rejects["row"].tolist() == [5, 6]


def test_all_models_have_one_new_version(refreshed):
    models, result = refreshed
    for name in MODELS:
        assert list(versions_of(models / name))[1] == result.exported.version
        assert len(versions_of(models / name)) == 2


def test_new_products_are_described(after):
    answer = ask(
        after["retrieval"]["describe"], {"item_id": tf.constant(["new-1", "item-04", "new-2"])}
    )
    assert answer["title"].tolist() == ["green heart", "usb c cable", "red lamp. Delft"]
    assert answer["price"][:2].tolist() == [3.5, 4.5] and np.isnan(answer["price"][2])
    assert answer["known"].all()


def test_new_products_are_found_by_search(after):
    found = ask(
        after["retrieval"]["search"],
        history([[], []]),
        {"query": tf.constant(["green heart", "usb c cable"])},
    )
    assert found["item_id"][:, 0].tolist() == ["new-1", "item-04"]
    # The known item keeps its brand and categories, which are part of its text.
    assert found["score"][0, 0] == pytest.approx(1.0, abs=1e-5) and found["score"][1, 0] < 0.99


def test_new_products_are_found_by_similarity(after):
    like_new = ask(after["retrieval"]["similar"], {"item_id": tf.constant(["new-1"])})
    assert (like_new["item_id"] != "").all() and "new-1" not in like_new["item_id"]
    nearest = like_new["item_id"][0, 0]
    everything = [f"item-{i:02}" for i in range(12)]
    found = ask(after["retrieval"]["similar"], {"item_id": tf.constant(everything)})
    assert "new-1" in found["item_id"], nearest


def test_a_new_product_stands_where_its_description_puts_it(after, refreshed):
    described = {
        name: tf.constant([value])
        for name, value in (
            ("title", "green heart"), ("description", ""), ("brand", ""), ("categories", ""),
        )
    }  # fmt: skip
    described["price"] = tf.constant([3.5])
    vector = ask(after["retrieval"]["embed_item"], described)["embedding"]
    like_new = ask(after["retrieval"]["similar"], {"item_id": tf.constant(["new-1"])})
    other = like_new["item_id"][0, 0]
    back = ask(after["retrieval"]["similar"], {"item_id": tf.constant([other])})
    at = back["item_id"][0].tolist().index("new-1")
    assert back["score"][0, at] == pytest.approx(like_new["score"][0, 0], abs=1e-5)
    bundle = Bundle.open(refreshed[0])
    items = bundle.items()
    model = bundle.load(items, bundle.text_vectors())[0]
    row = items["item_id"].tolist().index("new-1")
    assert row >= 12 and not model.id_offsets.learned()[row + 1]
    # Described before it is added, it has the vector that it has in the index then.
    np.testing.assert_allclose(vector[0], model.item_vectors()[row + 1], atol=1e-5)


def test_new_products_are_recommended(after):
    batch = [["new-1"], ["new-1", "item-06"], *([f"item-{i:02}"] for i in range(12))]
    answer = ask(after["recommender"]["serving_default"], history(batch), nothing(len(batch)))
    assert "new-1" in answer["item_id"]
    assert "new-1" in answer["reason_item_id"]


def test_stock_decides_what_is_shown(before, after):
    # new-2 is not available, and item-03 is again.
    texts = {
        "query": tf.constant(["blue lamp. light, home. a light of the heart", "red lamp. Delft"])
    }
    old = ask(before["retrieval"]["search"], history([[], []]), texts)["item_id"]
    new = ask(after["retrieval"]["search"], history([[], []]), texts)["item_id"]
    assert SOLD_OUT not in old and new[0, 0] == SOLD_OUT
    assert "new-2" not in new and new[1, 0] == "item-02"


def test_what_did_not_change_is_scored_as_before(before, after):
    batch = history([["item-00", "item-07"], ["item-10"]])
    candidates = {"candidate_item_id": tf.constant([["item-01", "item-08", "item-11"]] * 2)}
    embed = [ask(models["retrieval"]["embed_query"], batch) for models in (before, after)]
    np.testing.assert_allclose(embed[0]["embedding"], embed[1]["embedding"], atol=1e-6)
    similar = [
        ask(models["retrieval"]["similar"], {"item_id": tf.constant(["item-00"])})
        for models in (before, after)
    ]
    shared = set(similar[0]["item_id"][0]) & set(similar[1]["item_id"][0])
    scores = [
        {
            item: score
            for item, score in zip(one["item_id"][0], one["score"][0], strict=True)
            if item in shared - {"item-04"}
        }
        for one in similar
    ]
    assert len(scores[0]) > 1 and scores[0] == pytest.approx(scores[1], abs=1e-5)
    unknown = ask(before["ranking"]["serving_default"], batch, candidates)
    assert (unknown["score"] > 0).all()


def test_a_refresh_of_a_refresh_works_and_nothing_new_is_no_version(refreshed, tmp_path):
    models, first = refreshed
    copy = tmp_path / "models"
    shutil.copytree(models, copy)
    path = write(tmp_path, NEW_ITEMS.iloc[:5])
    again = refresh_index(copy, path)
    assert again.exported is None and again.encoded == 0 and again.rejects is None
    assert not (copy / "rejects" / "items.parquet").exists()
    assert list(versions_of(copy / "retrieval")) == list(versions_of(models / "retrieval"))
    # Sold out again: no text is new.
    path = write(tmp_path, pd.DataFrame({"item_id": ["new-1"], "title": ["green heart"],
                                         "available": [False]}))  # fmt: skip
    third = refresh_index(copy, path)
    assert (third.changed, third.encoded, third.items_after) == (1, 0, 14)
    provenance = read_json(third.exported.folders["ranking"] / FOLDER / "provenance.json")
    assert len(provenance["origin"]["refreshed"]) == 2
    assert provenance["origin"]["refreshed"][-1] == first.exported.version
    search = tf.saved_model.load(str(third.exported.folders["retrieval"])).signatures["search"]
    found = ask(search, history([[]]), {"query": tf.constant(["green heart"])})["item_id"]
    assert "new-1" not in found


def test_a_configuration_may_change_the_export(refreshed, tmp_path):
    models, _ = refreshed
    copy = tmp_path / "models"
    shutil.copytree(models, copy)
    config = ExperimentConfig.model_validate(
        {
            "data": {"context_columns": ["country"], "user_salt": "pepper"},
            "export": {"k": 20, "keep_versions": 1, "warmup_records": 0},
            "evaluation": {"repeats": "exclude"},
        }
    )
    result = refresh_index(copy, write(tmp_path), config)
    assert list(versions_of(copy / "ranking")) == [result.exported.version]
    assert "pepper" not in (newest(copy) / FOLDER / "config.yaml").read_text()
    similar = load(copy / "retrieval").signatures["similar"]
    answer = ask(similar, {"item_id": tf.constant(["item-00"])})
    # 14 items, less itself and what is sold out; the rest is padding.
    assert (answer["item_id"][0] != "").sum() == 12 and answer["item_id"].shape == (1, 20)
    assert (answer["item_id"][0, 12:] == "").all() and (answer["score"][0, 12:] < -1e8).all()
    recommend = load(copy / "recommender").signatures["serving_default"]
    shown = ask(recommend, history([["item-00"]]), nothing(1))
    # Unlike the run, the new configuration leaves out what the shopper had.
    assert (shown["item_id"][0] != "").sum() == 12 and "item-00" not in shown["item_id"]
    assert (shown["score"][0, 12:] == -1.0).all()
    assert (shown["probability_purchase"][0, 12:] == 0.0).all()
    assert (shown["reason_item_id"][0, 12:] == "").all()


def test_what_a_configuration_does_not_name_stays_as_it_was(refreshed, tmp_path):
    models, _ = refreshed
    copy = tmp_path / "models"
    shutil.copytree(models, copy)
    before = Bundle.open(copy).config
    export = before.export.model_copy(update={"warmup_records": 0})
    refresh_index(copy, write(tmp_path), ExperimentConfig(export=export))
    after = Bundle.open(copy).config
    assert after == before.model_copy(update={"export": export}) and after != before


@pytest.mark.parametrize("name, break_it, message", [
    ("no folder", shutil.rmtree, "there is no models folder"),
    ("empty", lambda models: shutil.rmtree(models / "retrieval"), "there is no retrieval model in"),
    ("no bundle", lambda models: shutil.rmtree(newest(models) / FOLDER), "has no assets.extra/"),
    ("file gone", lambda models: (newest(models) / FOLDER / "items.parquet").unlink(),
     "items.parquet is missing; copy the models folder again"),
    ("half a file", lambda models: cut(newest(models) / FOLDER / "retrieval/text_vectors.npy"),
     r"is damaged: retrieval/text_vectors.npy has \d+ bytes instead of"),
    ("flipped", lambda models: flip(newest(models) / FOLDER / "ranking/statistics.npz"),
     "statistics.npz has another checksum"),
    ("other format", lambda models: (newest(models) / FOLDER / "bundle.json").write_text("[]"),
     "bundle.json is not of this version of tfrec"),
])  # fmt: skip
def test_damage_is_told_in_one_sentence(refreshed, tmp_path, name, break_it, message):
    models, _ = refreshed
    copy = tmp_path / "models"
    shutil.copytree(models, copy)
    versions = list(versions_of(copy / "ranking"))
    break_it(copy)
    with pytest.raises(UserError, match=message):
        refresh_index(copy, write(tmp_path))
    assert list(versions_of(copy / "ranking")) == (versions if copy.exists() else [])


def newest(models):
    return list(versions_of(models / "retrieval").values())[-1]


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def flip(path):
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("content, message", [
    (None, "there is no file .*new.parquet"),
    (b"not parquet", "not readable as Parquet"),
    (pd.DataFrame({"item_id": ["n"]}), "has no column `title`"),
    (pd.DataFrame({"item_id": ["n", "m"], "title": ["N", "M"], "price": ["x", "y"]}),
     "column `price` of new.parquet should hold numbers"),
])  # fmt: skip
def test_a_wrong_catalogue_changes_nothing(refreshed, tmp_path, content, message):
    models, _ = refreshed
    versions = list(versions_of(models / "ranking"))
    path = tmp_path / "new.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        content.to_parquet(path)
    with pytest.raises(UserError, match=message):
        refresh_index(models, path)
    assert list(versions_of(models / "ranking")) == versions


def test_another_bert_is_refused(refreshed, tmp_path):
    models, _ = refreshed
    copy = tmp_path / "models"
    shutil.copytree(models, copy)
    bundle = newest(copy) / FOLDER / "bundle.json"
    text = bundle.read_text()
    fingerprint = read_json(bundle)["bert"]
    bundle.write_text(text.replace(fingerprint, "0" * 64))
    with pytest.raises(UserError, match=r"is not the one that the models in .* were made with"):
        refresh_index(copy, write(tmp_path, NEW_ITEMS.assign(title="blue shade")))
