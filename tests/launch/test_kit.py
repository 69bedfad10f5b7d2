"""The whole kit on a small shop, from files and from tables."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

import tfrec
from pipelines.launch_forecast import command
from tests.launch import shop
from tfrec.config import DataConfig
from tfrec.errors import UserError
from tfrec.launch.as_json import as_json
from tfrec.launch.kit import assemble
from tfrec.launch.reading import read_new_items, read_shop
from tfrec.launch.report import html_report

NEW = pd.DataFrame(
    {
        "item_id": ["1101", "1102", "1103"],
        "title": ["red bag pink", "gold mug grey", "blue ring <b>"],
        "price": [2.0, 3.0, None],
        "launched_at": [None, "2024-12-24", None],
    }
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    catalogue = shop.items()
    paths = {name: folder / f"{name}.parquet" for name in ("events", "catalogue", "items")}
    shop.events(catalogue).to_parquet(paths["events"])
    catalogue.to_parquet(paths["catalogue"])
    NEW.to_parquet(paths["items"])
    return paths


@pytest.fixture(scope="module")
def read(files):
    return read_shop(files["events"], files["catalogue"], DataConfig())


@pytest.fixture(scope="module")
def kit(files, read):
    fresh = read_new_items(files["items"], DataConfig(), read)
    return assemble(read, fresh, shop.word_vectors, shoppers=10, seed=0)


def test_launches_are_ordered_by_what_their_kind_does(kit):
    assert [launch.item_id for launch in kit.launches] == ["1101", "1102", "1103"]
    bag, mug, ring = kit.launches
    # Within a third of what the shop's kinds are made to sell.
    for launch, customers in ((bag, 26), (mug, 14), (ring, 5)):
        assert customers / 1.5 < launch.customers.median < customers * 1.5
    assert bag.customers.low <= bag.customers.median <= bag.customers.high
    assert 50 / 1.5 < bag.units.median < 50 * 1.5
    assert bag.rank < ring.rank <= bag.catalogue


def test_the_planned_day_is_taken_and_otherwise_the_next(kit, read):
    planned = {launch.item_id: launch.day for launch in kit.launches}
    assert planned["1102"] == "2024-12-24"
    assert planned["1101"] == str(read.sales.date(read.sales.end))


def test_buyers_of_bags_are_offered_the_bag(kit, read):
    audience = kit.launches[0].audience
    bags = {
        read.sales.users[user]
        for user, item in zip(read.sales.user, read.sales.item, strict=True)
        if " bag " in read.items["title"][item]
    }
    assert len(audience.shoppers) == 10 and set(audience.shoppers) <= bags
    assert audience.probability == sorted(audience.probability, reverse=True)
    assert sum(audience.segments.values()) == pytest.approx(1, abs=1e-3)
    assert "bag" in audience.words


def test_closest_and_rivals_are_of_the_same_kind(kit):
    bag = kit.launches[0]
    assert all(" bag " in each.title for each in bag.closest + bag.at_risk)
    old = [each for each in bag.closest if each.on_sale_since is None]
    assert all(each.start_customers is None for each in old)
    assert kit.rival_effect.launches > 0


def test_json_is_plain_and_whole(kit):
    plain = json.loads(json.dumps(as_json(kit), allow_nan=False))
    assert [each["item_id"] for each in plain["launches"]] == ["1101", "1102", "1103"]
    assert set(plain["launches"][0]["season"]["weekday"]) >= {"Monday", "Sunday"}


def test_the_report_escapes_titles_and_shows_pictures(kit):
    page = html_report(kit)
    assert "blue ring &lt;b&gt;" in page and "ring <b>" not in page
    assert page.count("data:image/png;base64,") == 4


def test_too_short_a_log_is_named(read, files):
    fresh = read_new_items(files["items"], DataConfig(), read)
    short = type(read)(read.items, read.sales.before(70))
    with pytest.raises(UserError, match="give a longer event log"):
        assemble(short, fresh, shop.word_vectors, shoppers=5)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"item_id": ["n"], "title": [""]}, "n of .* has no title"),
        ({"item_id": ["1000"], "title": ["red bag"]}, "1000 of .* was already sold"),
        ({"item_id": ["n", "n"], "title": ["a", "b"]}, "row 1 cannot be forecast .duplicate item"),
        ({"item_id": [], "title": []}, "has no rows"),
        ({"id": ["n"], "title": ["a"]}, "no column `item_id`"),
        ({"item_id": ["n"], "name": ["a"]}, "no column `title`"),
    ],
)
def test_mistakes_in_the_new_items_are_one_sentence(files, read, tmp_path, rows, message):
    path = tmp_path / "new.parquet"
    pd.DataFrame(rows).to_parquet(path)
    with pytest.raises(UserError, match=message):
        read_new_items(path, DataConfig(), read)


def test_a_log_without_time_is_named(files, tmp_path):
    path = tmp_path / "events.parquet"
    log = pd.read_parquet(files["events"]).drop(columns="timestamp").assign(position=1)
    log.to_parquet(path)
    with pytest.raises(UserError, match="no column `timestamp`"):
        read_shop(path, files["catalogue"], DataConfig(split="leave_one_out"))


def test_the_command_writes_the_report_and_prints_json(files, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tfrec.towers.bert.vectors.TextVectors.encode",
        lambda self, texts: shop.word_vectors(texts),
    )
    report = tmp_path / "out" / "launch.html"
    arguments = ["--events", files["events"], "--catalogue", files["catalogue"]]
    arguments += ["--items", files["items"], "--out", report, "--json", "--shoppers", 5]
    done = CliRunner().invoke(command, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output
    plain = json.loads(done.stdout)
    assert len(plain["launches"][0]["audience"]["shoppers"]) == 5
    assert report.read_text().startswith("<!doctype html>")


def test_tables_give_what_files_give(files, kit, monkeypatch):
    monkeypatch.setattr(
        "tfrec.towers.bert.vectors.TextVectors.encode",
        lambda self, texts: shop.word_vectors(texts),
    )
    tables = [pd.read_parquet(files[name]) for name in ("events", "catalogue", "items")]
    made = tfrec.forecast_launches(*tables, {"seed": 0}, shoppers=10)
    assert as_json(made) == as_json(kit)
