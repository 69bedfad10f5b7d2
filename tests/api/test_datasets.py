"""Data sets are opened, prepared, and prepared only once."""

import pandas as pd
import pytest

import tfrec
from tests.data.shop import small_config, small_events, small_items
from tests.export.shop import events_frame
from tfrec.config import ExperimentConfig, dump_config
from tfrec.data.prepare import prepare_dataset
from tfrec.errors import UserError

CONFIG = ExperimentConfig(data=small_config())


@pytest.fixture
def shop(tmp_path):
    """A folder like that of a shipped data set."""
    folder = tmp_path / "shop"
    folder.mkdir()
    small_events().to_parquet(folder / "events.parquet")
    small_items().to_parquet(folder / "items.parquet")
    (folder / "config.yaml").write_text(dump_config(CONFIG))
    return folder


def same(one, other):
    return one.checksum == other.checksum


def test_every_way_makes_what_the_command_makes(shop, tmp_path):
    expected = prepare_dataset(
        shop / "events.parquet", shop / "items.parquet", tmp_path / "expected", CONFIG.data
    )
    assert same(tfrec.load_dataset(expected.path), expected)
    assert same(tfrec.load_dataset(shop), expected)
    assert same(tfrec.load_dataset(shop, config=CONFIG), expected)
    tables = tfrec.load_dataset(small_events(), small_items(), config=CONFIG)
    assert tables.items.equals(expected.items)
    assert tables.manifest.splits == expected.manifest.splits
    paths = tfrec.load_dataset(
        str(shop / "events.parquet"), shop / "items.*", config=CONFIG, out=tmp_path / "made"
    )
    assert same(paths, expected) and paths.path == tmp_path / "made"


def test_a_data_set_is_made_once(shop, tmp_path):
    out = tmp_path / "data"
    first = tfrec.load_dataset(shop, out=out)
    mark = out / "mark"
    mark.touch()
    assert same(tfrec.load_dataset(shop, out=out), first)
    assert mark.exists()
    changed = tfrec.load_dataset(shop, config={"data": {"test_days": 9}}, out=out)
    assert not mark.exists() and changed.manifest.config.test_days == 9
    mark.touch()
    # Another file under the same name.
    small_items().head(4).to_parquet(shop / "items.parquet")
    again = tfrec.load_dataset(shop, config={"data": {"test_days": 9}}, out=out)
    assert not mark.exists() and again.num_items == 4


def test_temporary_ones_do_not_share_a_folder():
    folders = {
        tfrec.load_dataset(small_events(), small_items(), config=CONFIG).path for _ in range(2)
    }
    assert len(folders) == 2 and all(folder.is_dir() for folder in folders)


def test_mistakes(shop, tmp_path):
    with pytest.raises(UserError, match="the events need their catalogue"):
        tfrec.load_dataset(small_events())
    with pytest.raises(UserError, match="no data set folder online_retial"):
        tfrec.load_dataset("online_retial")
    with pytest.raises(UserError, match=r"there is no file .*nothing\.csv"):
        tfrec.load_dataset(shop / "events.parquet", tmp_path / "nothing.csv")
    odd = small_items().assign(price=["1", 2.0, None, "x", 3])
    with pytest.raises(UserError, match="the table of items cannot be written as Parquet"):
        tfrec.load_dataset(small_events(), odd)
    with pytest.raises(UserError, match="other things in it"):
        tfrec.load_dataset(shop, out=tmp_path)


class TestShoppers:
    def test_a_shopper_is_what_the_log_says(self, dataset):
        shopper = tfrec.find_shoppers(dataset, fewest=4, count=1)[0]
        log = events_frame()
        log["timestamp"] = pd.to_datetime(log["timestamp"], unit="s")
        both = pd.concat([shopper.history, shopper.later])
        columns = ["item_id", "event", "timestamp"]
        users = [
            user
            for user, own in log.groupby("user_id")
            if own[columns]
            .sort_values(columns)
            .reset_index(drop=True)
            .equals(both[columns].sort_values(columns).reset_index(drop=True))
        ]
        assert len(users) == 1
        last = log[log["user_id"] == users[0]]["country"].iloc[0]
        assert shopper.context == {"country": last}
        assert shopper.history["timestamp"].is_monotonic_increasing
        assert shopper.history["timestamp"].max() < shopper.later["timestamp"].min()

    def test_choice(self, dataset):
        chosen = tfrec.find_shoppers(dataset, fewest=3, most=6, count=100)
        assert {len(shopper.history) for shopper in chosen} <= {3, 4, 5, 6}
        assert [one.user for one in tfrec.find_shoppers(dataset, fewest=3, most=6, count=2)] == [
            one.user for one in chosen[:2]
        ]
        share = [
            shopper.history["title"].str.contains("lamp").mean()
            for shopper in tfrec.find_shoppers(dataset, word="LAMP", count=100)
        ]
        assert share == sorted(share, reverse=True) and share[0] > 0

    def test_display(self, dataset):
        shopper = tfrec.find_shoppers(dataset, fewest=10, count=1)[0]
        assert f"{len(shopper.history)} events, country" in repr(shopper)
        assert "earlier events" in repr(shopper)
        newest = shopper.history.iloc[-1]
        first_row = shopper._repr_html_().split("<tbody>")[1].split("</tr>")[0]
        assert f"{newest.timestamp:%Y-%m-%d}" in first_row and newest.title in first_row

    def test_nobody(self, dataset):
        with pytest.raises(UserError, match="no shopper of the split test has 900 or more events"):
            tfrec.find_shoppers(dataset, fewest=900)
