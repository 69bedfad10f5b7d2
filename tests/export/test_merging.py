import numpy as np
import pandas as pd
import pytest

from tests.data.shop import table_of
from tfrec.config import DataConfig
from tfrec.data.catalogue import build_catalogue
from tfrec.errors import UserError
from tfrec.export.merging import merge_items

CONFIG = DataConfig()
KNOWN = {
    "item_id": ["a", "b", "c"],
    "title": ["Apron", "Bowl", "Cup"],
    "brand": ["Acme", "", "Delft"],
    "categories": ["kitchen,blue", "", "kitchen"],
    "price": [1.5, None, 2.0],
    "available": [True, True, False],
}


def known_items(**more):
    items = build_catalogue(table_of(**{**KNOWN, **more}), CONFIG).frame
    return items.assign(train_events=[5, 0, 2], first_seen_train=[100, 0, 300])


def merge(known, config=CONFIG, **columns):
    table = table_of(**columns)
    fresh = build_catalogue(table, config).frame
    return merge_items(known, table, fresh, config.text_columns)


def row(merged, item):
    return merged.frame.set_index("item_id").loc[item]


def test_new_items_go_after_the_last_and_known_ones_keep_their_places():
    merged = merge(known_items(), item_id=["zoo", "b", "Aa"], title=["Zoo", "Bowl", "Aa"])
    assert merged.frame["item_id"].tolist() == ["a", "b", "c", "Aa", "zoo"]
    assert (merged.new, merged.changed, merged.unchanged) == (2, 0, 1)
    assert merged.frame["train_events"].tolist() == [5, 0, 2, 0, 0]
    assert merged.frame["first_seen_train"].tolist() == [100, 0, 300, 0, 0]
    zoo = row(merged, "zoo")
    assert zoo["text"] == "Zoo" and zoo["available"] and np.isnan(zoo["price"])
    assert list(zoo["brand__values"]) == list(zoo["categories__values"]) == []


def test_columns_that_are_missing_leave_what_is_known():
    merged = merge(known_items(), item_id=["a"], title=["Pinafore"])
    a = row(merged, "a")
    assert a["title"] == "Pinafore" and a["text"] == "Pinafore. Acme. kitchen,blue"
    assert a["price"] == 1.5 and list(a["categories__values"]) == ["kitchen", "blue"]
    assert (merged.new, merged.changed, merged.unchanged) == (0, 1, 0)


def test_columns_that_are_there_replace_what_is_known():
    merged = merge(
        known_items(),
        item_id=["a", "c"],
        title=["Apron", "Cup"],
        brand=["", "Delft"],
        price=[None, 9.0],
        available=[False, True],
    )
    a, c = row(merged, "a"), row(merged, "c")
    assert a["text"] == "Apron. kitchen,blue" and list(a["brand__values"]) == []
    assert np.isnan(a["price"]) and not a["available"]
    assert c["price"] == 9.0 and c["available"] and c["text"] == "Cup. Delft. kitchen"
    assert merged.changed == 2


def test_an_empty_title_leaves_the_known_one():
    merged = merge(known_items(), item_id=["b"], title=[""], price=[7.0])
    assert row(merged, "b")["title"] == row(merged, "b")["text"] == "Bowl"
    assert merged.changed == 1


@pytest.mark.parametrize("change, changed", [
    ({}, 0),
    ({"price": [1.5, None, 2.0]}, 0),
    ({"price": [1.5, 3.0, 2.0]}, 1),
    ({"available": [True, False, False]}, 1),
    ({"categories": ["kitchen,blue", "new", "kitchen"]}, 1),
    ({"brand": ["acme", "", "Delft"]}, 1),
])  # fmt: skip
def test_only_what_differs_counts_as_changed(change, changed):
    columns = {"item_id": KNOWN["item_id"], "title": KNOWN["title"], **change}
    merged = merge(known_items(), **columns)
    assert (merged.new, merged.changed, merged.unchanged) == (0, changed, 3 - changed)


def test_columns_of_the_configuration_are_part_of_the_text():
    config = DataConfig.model_validate({"text_columns": ["title", "material"]})
    known = build_catalogue(
        table_of(item_id=["a", "b"], title=["Apron", "Bowl"], material=["wool", "oak"]), config
    ).frame.assign(train_events=0, first_seen_train=0)
    merged = merge(
        known, config, item_id=["c", "b"], title=["Cup", "Bowl"], material=["clay", "ash"]
    )
    assert merged.frame["text"].tolist() == ["Apron. wool", "Bowl. ash", "Cup. clay"]
    assert merged.frame.columns.tolist() == known.columns.tolist()


def test_images_are_taken_over_and_must_fit():
    known = known_items(image_embedding=[[1.0, 2.0], None, [3.0, 4.0]])
    merged = merge(
        known, item_id=["a", "n"], title=["Apron", "New"], image_embedding=[[5.0, 6.0], None]
    )
    assert list(row(merged, "a")["image_embedding"]) == [5.0, 6.0]
    assert list(row(merged, "c")["image_embedding"]) == [3.0, 4.0]
    with pytest.raises(UserError, match=r"vectors of 3 numbers, but the models .* on 2"):
        merge(known, item_id=["a"], title=["Apron"], image_embedding=[[5.0, 6.0, 7.0]])


def test_the_merged_table_survives_parquet(tmp_path):
    merged = merge(known_items(), item_id=["z", "a"], title=["Zoo", "Apron 2"]).frame
    merged.to_parquet(tmp_path / "items.parquet", index=False)
    again = pd.read_parquet(tmp_path / "items.parquet")
    assert (merge_dtypes := again.dtypes.to_dict()) == merged.dtypes.to_dict(), merge_dtypes
    assert again["categories__values"].map(list).tolist() == [
        ["kitchen", "blue"], [], ["kitchen"], [],
    ]  # fmt: skip
