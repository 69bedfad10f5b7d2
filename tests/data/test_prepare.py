import json

import numpy as np
import pandas as pd
import pytest

from tests.data.shop import (
    DAY,
    START,
    events_frame,
    json_lines,
    small_config,
    small_events,
    small_items,
    write_frame,
    write_small,
)
from tfrec.config.data import CategoricalColumn, DataConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.prepare import prepare_dataset
from tfrec.data.users import hash_user
from tfrec.errors import UserError


def prepare(folder, *, events=None, items=None, config=None):
    sources = write_small(folder / "raw", events=events, items=items)
    return prepare_dataset(*sources, folder / "out", config or small_config())


def by_user(dataset, split):
    """Histories and targets of a split in words, by the shopper's name."""
    names = {hash_user(name, "tfrec"): name for name in ("ann", "bob", "cat", "dan", "eve")}
    histories = dataset.histories(split)
    items = ["", *dataset.items["item_id"]]
    events = ["", *dataset.event_types]
    found = {}
    for i, user in enumerate(histories.user):
        here, there = histories.history(i), histories.targets(i)
        found[names[str(user)]] = (
            [
                f"{events[event]} {items[item]}"
                for event, item in zip(histories.event[here], histories.item[here], strict=True)
            ],
            [
                f"{events[event]} {items[item]}"
                for event, item in zip(
                    histories.target_event[there], histories.target_item[there], strict=True
                )
            ],
        )
    return found


def rejects(dataset, kind="events"):
    return pd.read_parquet(dataset.path / "rejects" / f"{kind}.parquet")


def test_the_small_shop_by_hand(tmp_path):
    dataset = prepare(tmp_path)
    assert by_user(dataset, "train") == {
        "ann": (["purchase a", "purchase b", "return a"], []),
        "bob": (["purchase b"], []),
    }
    assert by_user(dataset, "valid") == {
        "ann": (["purchase a", "purchase b", "return a"], ["purchase c"]),
        "dan": ([], ["purchase a"]),
    }
    assert by_user(dataset, "test") == {
        "ann": (
            ["purchase a", "purchase b", "return a", "purchase c"],
            ["purchase a", "purchase d"],
        ),
        "cat": ([], ["purchase d"]),
        "eve": ([], ["purchase a"]),
    }
    manifest = dataset.manifest
    assert manifest.events.rows_in == 11
    assert manifest.events.rows_kept == 10
    assert manifest.events.rejected == {"no_target_in_period": 1}  # bob's late return
    assert manifest.event_counts == {"purchase": 9, "return": 1}
    assert dataset.event_types == ["purchase", "return"]
    assert dataset.target_event_indices == [1]
    assert dataset.return_event_index == 2
    assert manifest.num_users == 5
    assert [
        (split.shoppers, split.events, split.target_events) for split in manifest.splits.values()
    ] == [(2, 4, 3), (2, 2, 2), (3, 4, 4)]
    assert manifest.splits["test"].starts == "2024-02-12T22:13:21"


def test_the_item_table(tmp_path):
    dataset = prepare(tmp_path)
    items = dataset.items
    assert items["item_id"].tolist() == ["a", "b", "c", "d", "unsold"]
    assert items["title"].tolist() == ["Apron", "Bowl", "Cup", "Dish", "Umbrella"]
    assert items["text"].tolist() == [
        "Apron. kitchen",
        "Bowl. Delft",
        "Cup. Acme. kitchen",
        "Dish. Delft. kitchen,blue",
        "Umbrella",
    ]
    assert items["brand"].tolist() == ["", "Delft", "Acme", "Delft", ""]
    np.testing.assert_array_equal(items["price"], [1.5, np.nan, 2, 4, 9])
    assert items["available"].all()
    assert items["launched_at"].isna().all()
    assert [list(row) for row in items["categories__values"]] == [
        ["kitchen"],
        [],
        ["kitchen"],
        ["kitchen", "blue"],
        [],
    ]
    assert items["train_events"].tolist() == [1, 2, 0, 0, 0]  # the return does not count
    assert items["first_seen_train"].tolist() == [START + DAY, START + 2 * DAY, 0, 0, 0]
    assert dataset.item_index() == {"a": 1, "b": 2, "c": 3, "d": 4, "unsold": 5}
    assert dataset.num_items == 5
    assert "1 items have no events; they stay in the catalogue" in dataset.manifest.notes


def test_category_tables(tmp_path):
    dataset = prepare(tmp_path)
    assert dataset.categorical_columns == ["brand", "categories"]
    brands = dataset.categories("brand")
    assert brands.vocabulary == ["", "Acme", "Delft"]
    assert brands.values.tolist() == [[0], [0], [2], [1], [2], [0]]
    categories = dataset.categories("categories")
    assert categories.vocabulary == ["", "blue", "kitchen"]
    assert categories.values.tolist() == [[0, 0], [2, 0], [0, 0], [2, 0], [2, 1], [0, 0]]
    with pytest.raises(UserError, match=r"no categorical column `colour`.*brand, categories"):
        dataset.categories("colour")


def test_values_times_and_context(tmp_path):
    dataset = prepare(tmp_path)
    assert dataset.context_columns == ["country"]
    assert dataset.manifest.context_vocabularies == {"country": ["NL", "UK"]}  # train only
    test = dataset.histories("test")
    ann = int(np.flatnonzero(test.user == hash_user("ann", "tfrec"))[0])
    here = test.history(ann)
    assert test.value[here].tolist() == [2, 1, 1, 1]
    assert test.context["country"][here].tolist() == [1, 1, 1, 1]
    assert test.timestamp[here].tolist() == [START + day * DAY for day in (1, 2, 3, 85)]
    assert test.target_timestamp[test.targets(ann)].tolist() == [
        START + 95 * DAY,
        START + 96 * DAY,
    ]


def test_no_user_id_and_no_salt_is_written_anywhere(tmp_path):
    events = small_events()
    events["user_id"] = "shopper-" + events["user_id"] + "@example.org"
    events.loc[3, "item_id"] = "not-sold-here"
    dataset = prepare(tmp_path, events=events, config=small_config(user_salt="a-secret-salt"))
    import gzip

    for path in dataset.path.rglob("*.*"):
        content = path.read_bytes()
        if path.name.endswith(".gz"):
            content = gzip.decompress(content)
        assert b"example.org" not in content, path
        assert b"a-secret-salt" not in content, path
    rejected = rejects(dataset)
    expected = hash_user("shopper-ann@example.org", "a-secret-salt")
    assert rejected["user_id"].tolist()[0] == expected
    assert not any("example.org" in str(cell) for cell in rejected.to_numpy().ravel())


def test_another_salt_gives_other_hashes():
    assert hash_user("ann", "x") != hash_user("ann", "y")
    assert len(hash_user("ann", "x")) == 16
    # The first 16 hexadecimal digits of `printf 'x\0ann' | sha256sum`.
    assert hash_user("ann", "x") == "ff79fc7f5231f0f4"


def test_preparing_twice_gives_the_same_content(tmp_path):
    one = prepare(tmp_path / "one")
    two = prepare(tmp_path / "two")
    assert one.checksum == two.checksum
    assert prepare(tmp_path / "one", config=small_config(shards=1)).checksum != one.checksum


def test_the_future_does_not_leak_into_the_past(tmp_path):
    """Changing everything after a boundary changes nothing that is learnt before it."""
    before = prepare(tmp_path / "before")
    events = small_events()
    late = events["timestamp"] >= START + 95 * DAY
    events.loc[late, "country"] = "new country"
    events.loc[late & (events["user_id"] == "eve"), "user_id"] = "someone else"
    events.loc[late & (events["user_id"] == "ann"), "item_id"] = "unsold"
    after = prepare(tmp_path / "after", events=events)
    for split in ("train", "valid"):
        entries = [
            {name: entry for name, entry in manifest.files.items() if name.startswith(split)}
            for manifest in (before.manifest, after.manifest)
        ]
        assert entries[0] == entries[1]
    assert before.manifest.context_vocabularies == after.manifest.context_vocabularies
    columns = ["item_id", "text", "train_events", "first_seen_train"]
    pd.testing.assert_frame_equal(before.items[columns], after.items[columns])


def random_log(seed=0, users=40, items=15, events=1500):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": random.integers(0, users, events).astype(str),
            "item_id": random.integers(0, items, events).astype(str),
            "timestamp": START + random.integers(0, 100, events) * DAY,  # many ties
            "event": random.choice(["purchase", "return", "view"], events),
        }
    )


def random_items(items=15):
    names = [str(i) for i in range(items)]
    return pd.DataFrame({"item_id": names, "title": names})


@pytest.mark.parametrize("split", ["temporal", "leave_one_out"])
def test_every_history_ends_before_its_targets_begin(tmp_path, split):
    config = small_config(split=split, context_columns=[])
    dataset = prepare(tmp_path, events=random_log(), items=random_items(), config=config)
    valid, test = dataset.histories("valid"), dataset.histories("test")
    train = dataset.histories("train")
    for histories in (valid, test):
        assert len(histories) > 20
        for i in range(len(histories)):
            times = histories.timestamp[histories.history(i)]
            targets = histories.target_timestamp[histories.targets(i)]
            assert (np.diff(times) >= 0).all()
            assert len(targets)
            assert times.max(initial=0) <= targets.min()
            names = histories.target_event[histories.targets(i)]
            assert np.isin(names, dataset.target_event_indices).any()
    if split == "temporal":
        boundaries = [
            pd.Timestamp(dataset.manifest.splits[name].starts).timestamp()
            for name in ("valid", "test")
        ]
        assert train.timestamp.max() < boundaries[0] <= valid.target_timestamp.min()
        assert valid.target_timestamp.max() < boundaries[1] <= test.target_timestamp.min()
        assert test.timestamp.max() < boundaries[1]
    # The test history is the validation history plus the validation period.
    place = {user: i for i, user in enumerate(valid.user)}
    both = [(place[user], i) for i, user in enumerate(test.user) if user in place]
    assert len(both) > 10
    for v, t in both:
        expected = np.r_[valid.item[valid.history(v)], valid.target_item[valid.targets(v)]]
        np.testing.assert_array_equal(test.item[test.history(t)], expected)


@pytest.mark.parametrize("split", ["temporal", "leave_one_out"])
def test_every_row_is_in_the_data_set_once_or_in_the_rejects_once(tmp_path, split):
    log = random_log()
    log["position"] = np.arange(len(log))
    # A value that is the row's number makes every event recognisable in the records.
    log["value"] = np.arange(len(log)) + 1.0
    log.loc[5, "user_id"] = None
    log.loc[6, "item_id"] = "unknown"
    log.loc[7, "timestamp"] = 0
    config = small_config(split=split, context_columns=[])
    dataset = prepare(tmp_path, events=log, items=random_items(), config=config)
    seen = set()
    for name in ("train", "test"):
        seen |= set(dataset.histories(name).value.astype(int) - 1)
    # The rows of a period are targets, which carry no value; found by shopper, item and time.
    rejected = set(rejects(dataset)["row"])
    assert not seen & rejected
    assert len(rejected) == dataset.manifest.events.rows_rejected > 3
    rest = log.drop(index=sorted(seen | rejected))
    targets = {
        (user, item, time)
        for name in ("valid", "test")
        for histories in [dataset.histories(name)]
        for i, user in enumerate(histories.user)
        for item, time in zip(
            histories.target_item[histories.targets(i)],
            histories.target_timestamp[histories.targets(i)],
            strict=True,
        )
    }
    index = dataset.item_index()
    for row in rest.itertuples():
        assert (hash_user(row.user_id, "tfrec"), index[row.item_id], row.timestamp) in targets
    manifest = dataset.manifest
    assert manifest.events.rows_kept == len(seen) + len(rest)


def test_leave_one_out_goes_by_position_not_by_time(tmp_path):
    events = pd.DataFrame(
        {
            "user_id": ["ann"] * 4,
            "item_id": ["a", "b", "c", "d"],
            "timestamp": [START + 3 * DAY, START, START, START],
            "event": ["review"] * 4,
            "position": [3, 1, 2, 0],
        }
    )
    config = small_config(split="leave_one_out", context_columns=[])
    dataset = prepare(tmp_path, events=events, config=config)
    assert by_user(dataset, "train") == {"ann": (["review d", "review b"], [])}
    assert by_user(dataset, "valid") == {"ann": (["review d", "review b"], ["review c"])}
    assert by_user(dataset, "test") == {"ann": (["review d", "review b", "review c"], ["review a"])}
    assert dataset.manifest.splits["test"].starts is None


def test_without_timestamps_positions_order_and_time_is_zero(tmp_path):
    events = small_events().drop(columns="timestamp").assign(position=range(11))
    dataset = prepare(tmp_path, events=events, config=small_config(split="leave_one_out"))
    assert dataset.manifest.timestamps is None
    assert (dataset.histories("train").timestamp == 0).all()
    assert by_user(dataset, "test")["ann"][1] == ["purchase d"]


def test_ties_are_ordered_by_position_then_by_row(tmp_path):
    rows = [("ann", item, 1, "purchase") for item in "abcd"] + [
        ("dan", "a", 85, "purchase"),
        ("eve", "a", 100, "purchase"),
    ]
    events = events_frame(rows, ["user_id", "item_id", "timestamp", "event"])
    config = small_config(context_columns=[])
    history, _ = by_user(prepare(tmp_path / "rows", events=events, config=config), "train")["ann"]
    assert history == ["purchase a", "purchase b", "purchase c", "purchase d"]
    events["position"] = [4, 3, 2, 1, 0, 0]
    history, _ = by_user(prepare(tmp_path / "p", events=events, config=config), "train")["ann"]
    assert history == ["purchase d", "purchase c", "purchase b", "purchase a"]


def faulty_events():
    """One row for every reason, after eleven good ones."""
    good = small_events()
    faults = events_frame(
        [
            (None, "a", 4, "purchase", 1, "NL"),  # 11
            ("ann", "", 4, "purchase", 1, "NL"),
            ("ann", "a", 4, None, 1, "NL"),
            ("ann", "a", 4, "teleport", 1, "NL"),
            ("ann", "a", 0, "purchase", 1, "NL"),  # 15: timestamp made missing
            ("ann", "a", 0, "purchase", 1, "NL"),  # 16: timestamp made 0
            ("ann", "a", 40_000, "purchase", 1, "NL"),  # 17: in the year 2133
            ("ann", "zzz", 4, "purchase", 1, "NL"),
            ("bob", "d", 4, "return", 1, "NL"),
            ("ann", "b", 2, "purchase", 1, "NL"),  # 20: as row 1
            ("ann", "b", 2, "purchase", "two", "NL"),
        ]
    )
    frame = pd.concat([good, faults], ignore_index=True).astype({"timestamp": "Int64"})
    frame.loc[15, "timestamp"] = None
    frame.loc[16, "timestamp"] = 0
    return frame


EXPECTED_REASONS = {
    11: "empty_user_id",
    12: "empty_item_id",
    13: "empty_event",
    14: "unknown_event",
    15: "missing_timestamp",
    16: "bad_timestamp",
    17: "future_timestamp",
    18: "unknown_item",
    19: "return_without_purchase",
    20: "duplicate",
    21: "wrong_type:quantity",
    7: "no_target_in_period",
}


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz", "events.jsonl"])
def test_every_fault_has_its_reason_and_the_rest_is_kept(tmp_path, name):
    events = write_frame(faulty_events(), tmp_path / name)
    items = write_frame(small_items(), tmp_path / "items.csv")
    config = small_config(event_types=["purchase", "return"], timestamp_unit="seconds")
    dataset = prepare_dataset(events, items, tmp_path / "out", config)
    rejected = rejects(dataset)
    assert dict(zip(rejected["row"], rejected["reason"], strict=True)) == EXPECTED_REASONS
    assert set(rejected["source_file"]) == {name}
    counts = dataset.manifest.events
    assert (counts.rows_in, counts.rows_kept, counts.rows_rejected) == (22, 10, 12)
    assert set(counts.rejected.values()) == {1}
    assert counts.examples["unknown_event"] == f"{name} row 14"
    row = rejected.set_index("row").loc[21]
    assert row["quantity"] == "two"
    assert row["item_id"] == "b"
    assert row["user_id"] == hash_user("ann", "tfrec")
    # The kept rows are those of the shop without faults.
    clean = prepare(tmp_path / "clean")
    assert by_user(dataset, "test") == by_user(clean, "test")


def test_rules_can_be_relaxed(tmp_path):
    config = small_config(duplicates="keep", unknown_items="keep", timestamp_unit="seconds")
    events = write_frame(faulty_events(), tmp_path / "events.csv")
    items = write_frame(small_items(), tmp_path / "items.csv")
    dataset = prepare_dataset(events, items, tmp_path / "out", config)
    rejected = rejects(dataset)
    reasons = dict(zip(rejected["row"], rejected["reason"], strict=True))
    assert set(EXPECTED_REASONS) - set(reasons) == {14, 18, 20}
    assert dataset.event_types == ["purchase", "return", "teleport"]
    added = dataset.items.set_index("item_id").loc["zzz"]
    assert (added["title"], added["text"], added["available"]) == ("", "", True)
    assert len(added["brand__values"]) == 0
    assert added["train_events"] == 1
    assert dataset.num_items == 6
    counts = dataset.manifest.items
    assert (counts.rows_in, counts.rows_kept, counts.rows_rejected) == (5, 5, 0)
    assert any(
        "1 items that are not in the catalogue were added" in n for n in dataset.manifest.notes
    )


def test_catalogue_rules(tmp_path):
    items = pd.concat(
        [
            small_items().astype({"price": object}),
            pd.DataFrame(
                {
                    "item_id": ["a", None, "e", "f"],
                    "title": ["Apron again", "No id", None, "Fork"],
                    "price": [1.0, 1.0, 1.0, "cheap"],
                }
            ),
        ]
    )
    events = write_frame(small_events(), tmp_path / "events.csv")
    items = write_frame(items, tmp_path / "items.csv")
    config = small_config(missing_titles="reject")
    dataset = prepare_dataset(events, items, tmp_path / "out", config)
    rejected = rejects(dataset, "items")
    assert dict(zip(rejected["row"], rejected["reason"], strict=True)) == {
        5: "duplicate_item",
        6: "empty_item_id",
        7: "missing_title",
        8: "wrong_type:price",
    }
    assert dataset.item_index() == {"a": 1, "b": 2, "c": 3, "d": 4, "unsold": 5}
    kept = prepare_dataset(events, items, tmp_path / "keep", small_config())
    assert kept.manifest.items.rejected.keys() == {
        "duplicate_item",
        "empty_item_id",
        "wrong_type:price",
    }
    assert "1 items have no title" in kept.manifest.notes


def test_optional_catalogue_columns(tmp_path):
    items = pd.DataFrame(
        {
            "item_id": ["a", "b", "c", "d"],
            "title": ["A", "B", "C", "D"],
            "available": [True, False, None, True],
            "margin": [0.4, -0.1, None, 0.2],
            "launched_at": ["2023-01-05", "", "2023-02-01", "never"],
            "image_embedding": [[1.0, 2.0], None, [3.0, 4.0], [5.0, 6.0]],
            "tags": ["x y", "y", "", "x"],
            "colour": ["red", "blue", None, "red"],
        }
    )
    config = small_config(
        text_columns=["colour", "title", "description"],
        categorical_columns=[
            CategoricalColumn(column="tags", separator=" "),
            CategoricalColumn(column="brand"),
        ],
    )
    events = write_frame(small_events(), tmp_path / "events.csv")
    items = json_lines(tmp_path / "items.jsonl", items.to_dict("records"))
    dataset = prepare_dataset(events, items, tmp_path / "out", config)
    assert dataset.manifest.items.rejected == {"wrong_type:launched_at": 1}
    table = dataset.items
    assert table["text"].tolist() == ["red. A", "blue. B", "C"]
    assert table["available"].tolist() == [True, False, True]
    np.testing.assert_array_equal(table["margin"], [0.4, -0.1, np.nan])
    assert table["launched_at"].tolist() == [
        pd.Timestamp("2023-01-05"),
        pd.NaT,
        pd.Timestamp("2023-02-01"),
    ]
    assert [None if v is None else list(v) for v in table["image_embedding"]] == [
        [1.0, 2.0],
        None,
        [3.0, 4.0],
    ]
    assert table["image_embedding"][0].dtype == np.float32
    assert dataset.categories("tags").values.tolist() == [[0, 0], [1, 2], [2, 0], [0, 0]]
    assert dataset.categorical_columns == ["tags"]


def test_the_k_core_is_rejected_with_its_reason(tmp_path):
    config = small_config(min_user_events=2, min_item_events=2, valid_days=60, test_days=10)
    log = random_log(events=600)
    rare = pd.DataFrame(
        {
            "user_id": ["rare user", "0"],
            "item_id": ["1", "rare item"],
            "timestamp": START + 50 * DAY,
            "event": "purchase",
        }
    )
    items = pd.concat([random_items(), pd.DataFrame({"item_id": ["rare item"], "title": ["Rare"]})])
    config = config.model_copy(update={"context_columns": []})
    dataset = prepare(tmp_path, events=pd.concat([log, rare]), items=items, config=config)
    rejected = rejects(dataset)
    assert rejected[rejected["reason"] == "below_k_core"]["row"].tolist() == [600, 601]
    assert "rare item" in dataset.item_index()  # it stays in the catalogue


def test_statistics_and_the_timestamp_decision_are_in_the_manifest(tmp_path):
    manifest = prepare(tmp_path).manifest
    quantity = manifest.statistics["events"]["quantity"]
    assert (quantity.kind, quantity.missing, quantity.minimum, quantity.maximum) == (
        "number",
        0,
        1.0,
        4.0,
    )
    assert quantity.mean == pytest.approx(16 / 10)
    price = manifest.statistics["items"]["price"]
    assert (price.missing, price.distinct) == (1, 4)
    assert manifest.timestamps.unit == "seconds"
    assert "100.00% of the numbers are seconds" in manifest.timestamps.evidence
    assert manifest.timestamps.first == "2023-11-15T22:13:20"


def test_returns_without_any_purchase_event_are_noted(tmp_path):
    events = small_events().replace("purchase", "order")
    notes = prepare(tmp_path, events=events).manifest.notes
    assert any("were not checked against earlier purchases" in note for note in notes)


def test_target_events(tmp_path):
    config = small_config(target_events=["purchase", "return"])
    dataset = prepare(tmp_path, config=config)
    assert dataset.target_event_indices == [1, 2]
    assert dataset.manifest.events.rejected == {}
    with pytest.raises(UserError, match=r"data\.target_events has 'buy'.*purchase, return"):
        prepare(tmp_path / "typo", config=small_config(target_events=["buy"]))


def with_events(**columns):
    return {"events": small_events().assign(**columns)}


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        (
            {"events": small_events().drop(columns="user_id")},
            {},
            r"events\.parquet has no column `user_id`, which events need; its columns are",
        ),
        (
            {"events": small_events().drop(columns="timestamp")},
            {},
            r"events\.parquet has no column `timestamp`.*temporal.*data\.split to leave_one_out",
        ),
        (
            {"events": small_events().drop(columns="timestamp")},
            {"split": "leave_one_out"},
            r"neither a column `timestamp` nor `position`",
        ),
        (
            {"items": small_items().drop(columns="title")},
            {},
            r"items\.parquet has no column `title`, which items need",
        ),
        (
            {},
            {"context_columns": ["device"]},
            r"events\.parquet has no column `device`",
        ),
        ({}, {"context_columns": ["quantity"]}, r"data\.context_columns has `quantity`"),
        (
            {},
            {"categorical_columns": [CategoricalColumn(column="brnd")]},
            r"items\.parquet has no column `brnd`.*did you mean `brand`",
        ),
        ({}, {"text_columns": ["name"]}, r"items\.parquet has no column `name`"),
        (
            with_events(quantity="many"),
            {},
            r"column `quantity` of events\.parquet should hold numbers, but 11 of 11 rows.*row 0: "
            r"'many', row 1: 'many', row 2",
        ),
        (with_events(user_id=None), {}, r"column `user_id` of events\.parquet should hold a value"),
        (with_events(timestamp=5), {}, r"set data\.timestamp_unit"),
        (with_events(timestamp="soon"), {}, r"holds no timestamps that can be read"),
        (with_events(item_id="zzz"), {}, r"no event of events\.parquet is left.*unknown_item 11"),
        (with_events(event="return"), {}, r"is no target|is left"),
        ({}, {"event_types": ["Purchase"]}, r"no event .*data\.event_types.*purchase, return"),
        ({}, {"valid_days": 300}, r"the train period holds no events"),
        ({}, {"min_user_events": 50}, r"is left after cleaning \(below_k_core 11\)"),
        (
            {"items": small_items().assign(item_id=None)},
            {},
            r"column `item_id` of items\.parquet should hold a value",
        ),
        (
            {"items": small_items().assign(title=None)},
            {"missing_titles": "reject"},
            r"no row of items\.parquet can be used as an item \(missing_title 5\)",
        ),
    ],
)
def test_bad_input_is_one_clear_sentence_and_nothing_is_written(tmp_path, change, config, message):
    with pytest.raises(UserError, match=message) as caught:
        prepare(tmp_path, **change, config=small_config(**config))
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"raw"}


def test_one_wrong_cell_in_a_long_log_costs_one_row(tmp_path):
    size = 100_000
    random = np.random.default_rng(0)
    path = tmp_path / "events.csv"
    times = START + random.integers(0, 100 * DAY, size)
    lines = [f"u{i % 997},{i % 15},{times[i]},purchase,{i}" for i in range(size)]
    lines[77_777] = f"u1,1,{START + DAY},purchase,seven"
    path.write_text("\n".join(["user_id,item_id,timestamp,event,quantity", *lines]))
    items = write_frame(random_items(), tmp_path / "items.csv")
    config = small_config(context_columns=[])
    counts = prepare_dataset(path, items, tmp_path / "out", config).manifest.events
    assert counts.rows_in == size
    assert counts.rejected == {"wrong_type:quantity": 1}
    assert counts.examples == {"wrong_type:quantity": "events.csv row 77777"}


def test_globs_of_several_files(tmp_path):
    events = small_events()
    write_frame(events.iloc[:5], tmp_path / "log-1.csv")
    write_frame(events.iloc[5:], tmp_path / "log-2.csv")
    write_frame(small_items(), tmp_path / "items.csv")
    dataset = prepare_dataset(
        str(tmp_path / "log-*.csv"), tmp_path / "items.csv", tmp_path / "out", small_config()
    )
    assert dataset.manifest.sources["events"] == ["log-1.csv", "log-2.csv"]
    assert by_user(dataset, "test") == by_user(prepare(tmp_path / "one"), "test")
    assert rejects(dataset)[["source_file", "row"]].to_numpy().tolist() == [["log-2.csv", 2]]


def test_a_folder_with_other_things_is_not_replaced(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(UserError, match="a folder with other things in it"):
        prepare(tmp_path)
    assert (out / "thesis.txt").read_text() == "irreplaceable"
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "out").write_text("a file")
    with pytest.raises(UserError, match="is a file; give --out a folder"):
        prepare(tmp_path / "two")


def test_a_failed_run_leaves_the_earlier_data_set_whole(tmp_path):
    first = prepare(tmp_path)
    with pytest.raises(UserError):
        prepare(tmp_path, config=small_config(valid_days=300))
    assert PreparedDataset.open(tmp_path / "out", verify=True).checksum == first.checksum


def test_lost_rows_are_noticed(tmp_path, monkeypatch):
    from tfrec.data import splits

    # Bob's return in the test period is in no record; this forgets to reject it.
    monkeypatch.setattr(splits, "unused_events", lambda cuts: np.zeros(11, dtype=bool))
    with pytest.raises(RuntimeError, match=r"events\.parquet went missing: 11 in, 10 kept, 0 rej"):
        prepare(tmp_path)


def test_the_manifest_is_json_that_says_what_was_done(tmp_path):
    dataset = prepare(tmp_path)
    content = json.loads((dataset.path / "dataset.json").read_text())
    assert content["config"]["split"] == "temporal"
    assert "user_salt" not in content["config"]
    assert DataConfig.model_validate(content["config"]).valid_days == 10
    vocabularies = json.loads((dataset.path / "vocabularies.json").read_text())
    assert vocabularies["events"] == ["purchase", "return"]
    assert vocabularies["context"] == {"country": ["NL", "UK"]}


def test_scientific_matches_its_documented_size(tmp_path, shared_data):
    folder = shared_data / "amazon_scientific"
    dataset = prepare_dataset(
        folder / "events.parquet",
        folder / "items.parquet",
        tmp_path / "out",
        DataConfig(split="leave_one_out"),
    )
    assert dataset.manifest.num_users == 8442
    assert dataset.num_items == 4385
    assert dataset.manifest.events.rows_kept == 59_427
    assert [split.shoppers for split in dataset.manifest.splits.values()] == [8442] * 3
    raw = pd.read_parquet(folder / "events.parquet")
    last = raw.sort_values("position").groupby("user_id")["item_id"].last()
    test = dataset.histories("test")
    items = np.array(["", *dataset.items["item_id"]])
    found = dict(zip(test.user, items[test.target_item], strict=True))
    assert found == {hash_user(user, "tfrec"): item for user, item in last.items()}
