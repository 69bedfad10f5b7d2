"""What becomes of the rows of odd batches."""

import numpy as np
import pandas as pd
import pytest

from tests.training.planted_shop import DAY, START, planted_items, prepare_planted
from tfrec.config import DataConfig, ExperimentConfig, UpdateConfig
from tfrec.data.dataset import ITEMS
from tfrec.data.users import hash_user
from tfrec.errors import UserError
from tfrec.updating.batch import EVENTS, REJECTS, take_in
from tfrec.updating.batch_record import content_of
from tfrec.updating.grown import write_grown
from tfrec.updating.log import log_of

END = START + 100 * DAY


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return prepare_planted(tmp_path_factory.mktemp("planted"), shoppers=40)


@pytest.fixture(scope="module")
def log(dataset):
    return log_of(dataset)


def rows(*events, columns=("user_id", "item_id", "timestamp", "event", "country")):
    return pd.DataFrame(list(events), columns=list(columns))


def purchases(count, user="u1", start=END, country="UK"):
    return [
        (user, f"i{n % 40:02}", start + DAY + 60 * n, "purchase", country) for n in range(count)
    ]


def config(**update):
    return ExperimentConfig(
        data=DataConfig(context_columns=["country"], valid_days=12, test_days=12),
        update=UpdateConfig(**{"valid_days": 10, "gate_days": 10, **update}),
    )


def taken(tmp_path, dataset, log, frame, items=None, settings=None):
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "events.csv"
    frame.to_csv(path, index=False)
    source = None
    if items is not None:
        source = tmp_path / "items.csv"
        items.to_csv(source, index=False)
    return take_in(path, source, tmp_path / "batch", dataset, log, settings or config())


def test_the_log_of_a_prepared_data_set_is_whole(dataset, log):
    assert len(log) == dataset.manifest.events.rows_kept
    assert log["user"].is_monotonic_increasing
    times = log.groupby("user")["microseconds"]
    assert times.apply(lambda each: each.is_monotonic_increasing).all()
    # u1 is from the UK, u2 from the Netherlands.
    salt = DataConfig().user_salt
    assert set(log.loc[log["user"] == hash_user("u1", salt), "country"]) == {"UK"}


def test_good_rows_are_accepted_in_order(tmp_path, dataset, log):
    frame = rows(*reversed(purchases(5)))
    record = taken(tmp_path, dataset, log, frame)
    assert (record.rows_in, record.accepted, record.rejected, record.late) == (5, 5, {}, 0)
    stored = pd.read_parquet(tmp_path / "batch" / EVENTS)
    assert stored["microseconds"].is_monotonic_increasing
    assert stored["item"].tolist() == [1, 2, 3, 4, 5]


def test_a_robot_is_left_out_and_named(tmp_path, dataset, log):
    frame = rows(*purchases(300, user="robot"), *purchases(20, user="new"))
    record = taken(tmp_path, dataset, log, frame, settings=config(most_events=100))
    assert record.accepted == 20
    assert record.rejected == {"too_many_events": 300}
    rejects = pd.read_parquet(tmp_path / "batch" / REJECTS / "events.parquet")
    assert len(rejects) == 300
    assert "robot" not in rejects.to_json()


def test_future_events_and_clocks_that_run_wrong(tmp_path, dataset, log):
    frame = rows(
        *purchases(200),
        ("u2", "i01", 4_000_000_000, "purchase", "UK"),
        ("u3", "i01", END + 200 * DAY, "purchase", "UK"),
    )
    record = taken(tmp_path, dataset, log, frame)
    assert record.accepted == 200
    assert record.rejected == {"future_timestamp": 1, "clock_ahead": 1}


def test_a_clock_that_runs_wrong_for_many_events(tmp_path, dataset, log):
    ahead = purchases(3, user="u2", start=END + 200 * DAY)
    with pytest.raises(UserError, match=r"3 of 23 events .* after all others.* update\.gap_days"):
        taken(tmp_path, dataset, log, rows(*purchases(20), *ahead))
    assert not (tmp_path / "batch").exists()
    record = taken(
        tmp_path, dataset, log, rows(*purchases(20), *ahead), settings=config(gap_days=300)
    )
    assert (record.accepted, record.rejected) == (23, {})


def test_a_shop_that_was_closed_for_long_goes_on(tmp_path, dataset, log):
    record = taken(tmp_path, dataset, log, rows(*purchases(20, start=END + 300 * DAY)))
    assert (record.accepted, record.rejected) == (20, {})


def test_late_events_join_and_are_counted(tmp_path, dataset, log):
    late = [("u1", "i07", START + 50 * DAY + 7, "purchase", "UK")]
    record = taken(tmp_path, dataset, log, rows(*late, *purchases(3)))
    assert (record.accepted, record.late) == (4, 1)


def test_events_that_are_known_are_left_out(tmp_path, dataset, log):
    first = log.iloc[0]
    inverse = {hash_user(f"u{n}", DataConfig().user_salt): f"u{n}" for n in range(40)}
    known = (
        inverse[first["user"]],
        dataset.items["item_id"][first["item"] - 1],
        int(first["microseconds"] // 1_000_000),
        dataset.event_types[first["event"] - 1],
        first["country"],
    )
    record = taken(tmp_path, dataset, log, rows(known, *purchases(1)))
    assert (record.accepted, record.rejected) == (1, {"already_known": 1})


def test_returns_need_a_purchase_in_log_or_batch(tmp_path, dataset, log):
    after = END + 2 * DAY
    frame = rows(
        ("new", "i01", after, "purchase", "UK"),
        ("new", "i01", after + 9, "return", "UK"),
        ("new", "i02", after + 9, "return", "UK"),
    )
    record = taken(tmp_path, dataset, log, frame)
    assert (record.accepted, record.rejected) == (2, {"return_without_purchase": 1})


def test_unknown_products_and_events(tmp_path, dataset, log):
    after = END + 2 * DAY
    frame = rows(
        *purchases(4),
        ("u1", "i99", after, "purchase", "UK"),
        ("u1", "i01", after, "wink", "UK"),
    )
    record = taken(tmp_path, dataset, log, frame)
    assert (record.accepted, record.rejected) == (4, {"unknown_event": 1, "unknown_item": 1})


def test_unknown_products_may_be_kept(tmp_path, dataset, log):
    settings = config()
    data = settings.data.model_copy(update={"unknown_items": "keep"})
    settings = settings.model_copy(update={"data": data})
    frame = rows(*purchases(4), ("u1", "i99", END + 2 * DAY, "purchase", "UK"))
    record = taken(tmp_path, dataset, log, frame, settings=settings)
    assert (record.accepted, record.items_new) == (5, 1)
    assert pd.read_parquet(tmp_path / "batch" / ITEMS)["item_id"].iloc[-1] == "i99"


def test_new_and_changed_products(tmp_path, dataset, log):
    items = planted_items().iloc[:2].assign(price=[1.0, 99.0])
    items = pd.concat([items, pd.DataFrame({"item_id": ["a0"], "title": ["lamp"]})])
    record = taken(tmp_path, dataset, log, rows(*purchases(2)), items)
    assert (record.items_in, record.items_new, record.items_changed) == (3, 1, 1)
    table = pd.read_parquet(tmp_path / "batch" / ITEMS)
    # Sorted by id it would be the first, but known items keep their places.
    assert table["item_id"].iloc[-1] == "a0"
    assert table["price"].iloc[1] == 99.0


class TestSchemas:
    def test_a_further_column_is_told_of(self, tmp_path, dataset, log):
        frame = rows(*purchases(3)).assign(mood="good")
        record = taken(tmp_path, dataset, log, frame)
        assert record.accepted == 3
        assert record.notes == ["columns that no setting names were not read: mood"]

    @pytest.mark.parametrize("column", ["user_id", "timestamp", "country"])
    def test_a_column_less_is_one_sentence(self, tmp_path, dataset, log, column):
        frame = rows(*purchases(3)).drop(columns=column)
        with pytest.raises(UserError, match=f"no column `{column}`"):
            taken(tmp_path, dataset, log, frame)
        assert not (tmp_path / "batch").exists()

    def test_a_column_of_another_type_is_one_sentence(self, tmp_path, dataset, log):
        frame = rows(*purchases(3)).assign(timestamp="soon")
        with pytest.raises(UserError, match="timestamp"):
            taken(tmp_path, dataset, log, frame)

    def test_a_context_that_became_numbers_is_read_as_text(self, tmp_path, dataset, log):
        record = taken(tmp_path, dataset, log, rows(*purchases(3, country=31)))
        assert record.accepted == 3
        assert set(pd.read_parquet(tmp_path / "batch" / EVENTS)["country"]) == {"31"}


def test_a_batch_that_is_mostly_wrong_is_refused(tmp_path, dataset, log):
    frame = rows(*purchases(3), *[("u1", "i99", END + DAY, "purchase", "UK")] * 4)
    settings = config()
    data = settings.data.model_copy(update={"duplicates": "keep"})
    with pytest.raises(UserError, match=r"4 of 7 rows .* cannot be used \(unknown_item 4\)"):
        taken(tmp_path, dataset, log, frame, settings=settings.model_copy(update={"data": data}))
    assert not (tmp_path / "batch").exists()


@pytest.mark.parametrize("content", [b"", b"user_id,item_id,timestamp,event,country\n"])
def test_an_empty_file_is_one_sentence(tmp_path, dataset, log, content):
    path = tmp_path / "empty.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"empty|no rows"):
        take_in(path, None, tmp_path / "batch", dataset, log, config())


def test_a_corrupt_file_is_one_sentence(tmp_path, dataset, log):
    path = tmp_path / "broken.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UserError, match="not readable as Parquet"):
        take_in(path, None, tmp_path / "batch", dataset, log, config())


def test_content_is_that_of_the_files_and_not_their_names(tmp_path):
    for name, text in (("a.csv", "x"), ("b.csv", "y"), ("c.csv", "y")):
        (tmp_path / name).write_text(text)
    one = content_of(tmp_path / "[ab].csv", None)
    assert one == content_of(tmp_path / "[ac].csv", None)
    assert one != content_of(tmp_path / "a.csv", None)
    assert content_of(tmp_path / "a.csv", tmp_path / "b.csv") != one


def test_the_grown_data_set(tmp_path, dataset, log):
    late = [("u1", "i07", START + 50 * DAY + 7, "purchase", "UK")]
    items = pd.DataFrame({"item_id": ["a0"], "title": ["lamp"], "brand": ["brand 9"]})
    batch = rows(*late, *purchases(30, user="new", country="BE"))
    record = taken(tmp_path, dataset, log, batch, items)
    grown = write_grown(tmp_path / "grown", dataset, log, tmp_path / "batch", config())
    assert grown.manifest.events.rows_in == len(log) + record.rows_in
    assert grown.manifest.events.rows_kept == len(log) + record.accepted
    assert grown.context_columns == ["country"]
    words = dataset.manifest.context_vocabularies["country"]
    assert grown.manifest.context_vocabularies["country"] == [*words, "BE"]
    before = dataset.categories("brand").vocabulary
    assert grown.categories("brand").vocabulary == [*before, "brand 9"]
    assert grown.num_items == dataset.num_items + 1
    # The gate's days count from the last event of the batch.
    first_second = grown.manifest.splits["test"].starts
    last = np.datetime64(END + DAY + 60 * 29 + 1, "s")
    assert np.datetime64(first_second) == last - np.timedelta64(10, "D")
    test = grown.histories("test")
    place = list(test.user).index(hash_user("new", DataConfig().user_salt))
    assert test.target_item[test.targets(place)].tolist() == list(range(1, 31))
    # A second batch finds the log as a file, late event and all.
    again = log_of(grown)
    assert len(again) == len(log) + 31
    joined = again[again["user"] == hash_user("u1", DataConfig().user_salt)]
    assert joined["microseconds"].is_monotonic_increasing
