"""Adapters on small files in the formats of their sources, as their publishers write them."""

import datetime
import gzip
import json

import numpy as np
import openpyxl
import pandas as pd
import pytest

from tests.data.shop import table_of
from tfrec.config.data import DataConfig
from tfrec.data.adapters import find_adapter
from tfrec.data.adapters.amazon_reviews import parse_line
from tfrec.data.adapters.base import Adapter
from tfrec.data.dataset import PreparedDataset
from tfrec.data.prepare import prepare_dataset
from tfrec.data.users import hash_user
from tfrec.errors import UserError

RETAIL_COLUMNS = [
    *("InvoiceNo", "StockCode", "Description", "Quantity"),
    *("InvoiceDate", "UnitPrice", "CustomerID", "Country"),
]


def minute(text):
    return datetime.datetime.fromisoformat(text)


# Numbers where a spreadsheet has numbers: codes and invoices are numbers unless they have letters.
RETAIL_LINES = [
    (536365, "85123A", "WHITE HEART", 6, minute("2010-12-01 08:26"), 2.55, 17850, "UK"),
    (536365, 71053, "LANTERN", 6, minute("2010-12-01 08:26"), 3.39, 17850, "UK"),
    (536366, "85123a", "WHITE HEART", 1, minute("2010-12-20 09:00"), 2.95, 13047, "UK"),
    (536367, "POST", "POSTAGE", 1, minute("2010-12-20 09:00"), 18.0, 13047, "France"),
    (536368, 71053, "LANTERN", 2, minute("2010-12-20 09:10"), 3.79, None, "UK"),
    ("C536369", "85123A", "WHITE HEART", -2, minute("2010-12-21 10:00"), 2.55, 17850, "UK"),
    ("C536370", "D", "Discount", -1, minute("2010-12-21 10:00"), 27.5, 14527, "UK"),
    (536371, 71053, "damaged", -9, minute("2010-12-21 11:00"), 0, None, "UK"),
    (536372, 22633, "HAND WARMER", 6, minute("2011-01-05 08:28"), 1.85, 17850, "UK"),
    (536373, "gift_0001_20", "Gift voucher", 1, minute("2011-01-05 08:30"), 20, 13047, "UK"),
    ("A563185", "B", "Adjust bad debt", 1, minute("2011-01-05 14:50"), 11062.06, None, "UK"),
    (536374, 71053, None, 3, minute("2011-01-10 12:00"), 3.39, 13047, "UK"),
    (536375, "BANK CHARGES", "Bank", 1, minute("2011-01-10 12:00"), 15, 13047, "UK"),
    (536376, 22633, "HAND WARMER", -1, minute("2011-01-10 12:30"), 0, 13047, "UK"),
]
RETAIL_REASONS = {
    3: "non_product",
    4: "guest",
    6: "non_product",
    7: "guest",
    9: "non_product",
    10: "non_product",
    12: "non_product",
    13: "stock_adjustment",
}
RETAIL_CONFIG = DataConfig(
    adapter="online_retail", valid_days=8, test_days=5, context_columns=["country"], shards=1
)


def write_retail(path, columns=RETAIL_COLUMNS, lines=RETAIL_LINES):
    if path.suffix == ".xlsx":
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        sheet.append(columns)
        for line in lines:
            sheet.append(line)
        workbook.save(path)
    else:
        frame = pd.DataFrame(lines, columns=columns)
        frame.iloc[:, 4] = frame.iloc[:, 4].dt.strftime("%m/%d/%Y %H:%M")
        frame.to_csv(path, index=False, encoding="latin-1")
    return path


def reasons(dataset, kind="events"):
    rejected = pd.read_parquet(dataset.path / "rejects" / f"{kind}.parquet")
    return dict(zip(rejected["row"], rejected["reason"], strict=True))


def assert_retail(dataset: PreparedDataset):
    assert reasons(dataset) == RETAIL_REASONS
    assert dataset.manifest.events.rows_in == len(RETAIL_LINES)
    assert dataset.event_types == ["purchase", "return"]
    assert dataset.manifest.event_counts == {"purchase": 5, "return": 1}
    assert dataset.items["item_id"].tolist() == ["22633", "71053", "85123A"]
    assert dataset.items["title"].tolist() == ["HAND WARMER", "LANTERN", "WHITE HEART"]
    # Medians of the lines sold, guests' among them.
    assert dataset.items["price"].tolist() == pytest.approx([1.85, 3.39, 2.75])
    train = dataset.histories("train")
    me = int(np.flatnonzero(train.user == hash_user("17850", "tfrec"))[0])
    here = train.history(me)
    assert train.item[here].tolist() == [3, 2, 3]
    assert train.event[here].tolist() == [1, 1, 2]
    assert train.value[here].tolist() == [6, 6, 2]
    first = datetime.datetime(2010, 12, 1, 8, 26, tzinfo=datetime.UTC)
    assert train.timestamp[here][0] == first.timestamp()


@pytest.mark.parametrize("name", ["Online Retail.xlsx", "online_retail.csv"])
def test_online_retail(tmp_path, name):
    path = write_retail(tmp_path / name)
    dataset = prepare_dataset(path, path, tmp_path / "out", RETAIL_CONFIG)
    assert_retail(dataset)
    rejected = pd.read_parquet(dataset.path / "rejects" / "events.parquet")
    assert rejected["CustomerID"].tolist()[0] == hash_user("13047", "tfrec")
    assert rejected["Description"].tolist()[0] == "POSTAGE"
    assert pd.isna(rejected["CustomerID"].tolist()[1])


def test_online_retail_ii_spellings_and_two_sheets(tmp_path):
    columns = [
        *("Invoice", "StockCode", "Description", "Quantity"),
        *("InvoiceDate", "Price", "Customer ID", "Country"),
    ]
    path = write_retail(tmp_path / "online_retail_II.xlsx", columns, RETAIL_LINES[:9])
    workbook = openpyxl.load_workbook(path)
    sheet = workbook.create_sheet("Year 2010-2011")
    for line in [columns, *RETAIL_LINES[9:]]:
        sheet.append(line)
    workbook.save(path)
    assert_retail(prepare_dataset(path, path, tmp_path / "out", RETAIL_CONFIG))


def test_online_retail_in_the_encoding_of_windows(tmp_path):
    lines = [list(line) for line in RETAIL_LINES]
    lines[0][2] = lines[2][2] = "POCKET MONEY £1"
    path = write_retail(tmp_path / "data.csv", lines=lines)
    assert b"\xa31" in path.read_bytes()
    dataset = prepare_dataset(path, path, tmp_path / "out", RETAIL_CONFIG)
    assert dataset.items["title"].tolist()[2] == "POCKET MONEY £1"


def test_online_retail_with_a_catalogue_of_its_own(tmp_path):
    path = write_retail(tmp_path / "data.csv")
    items = tmp_path / "items.csv"
    items.write_text("item_id,title\n85123A,Heart\n71053,Lantern\n22633,Warmer\n")
    dataset = prepare_dataset(path, items, tmp_path / "out", RETAIL_CONFIG)
    assert dataset.items["title"].tolist() == ["Warmer", "Lantern", "Heart"]


def test_online_retail_without_its_columns(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("StockCode,Quantity,Description,UnitPrice\n1,2,x,1\n")
    with pytest.raises(UserError, match=r"data\.csv has no column"):
        prepare_dataset(path, path, tmp_path / "out", RETAIL_CONFIG)
    broken = tmp_path / "data.xlsx"
    broken.write_bytes(b"no spreadsheet")
    with pytest.raises(UserError, match=r"data\.xlsx is not a readable spreadsheet"):
        prepare_dataset(broken, broken, tmp_path / "out", RETAIL_CONFIG)


def review(user, item, time, stars, **more):
    return {
        "reviewerID": user,
        "asin": item,
        "reviewerName": "A. Person",
        "helpful": [0, 0],
        "reviewText": "Nice.",
        "overall": stars,
        "summary": "Nice",
        "unixReviewTime": time,
        "reviewTime": "01 30, 2014",
        **more,
    }


def write_gzip(path, lines):
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


AMAZON_CONFIG = DataConfig(adapter="amazon_reviews", split="leave_one_out", shards=1)


def amazon_reviews(path, extra=()):
    rows = [
        review("A1", "B000A", 1_370_000_000, 5.0),
        review("A1", "B000B", 1_380_000_000, 1.0),
        review("A1", "B000C", 1_390_000_000, 4.0),
        review("A2", "B000A", 1_390_000_000, 3.0),
    ]
    return write_gzip(path, [*(json.dumps(row) for row in rows), *extra])


def test_amazon_reviews_with_python_literals_as_metadata(tmp_path):
    reviews = amazon_reviews(tmp_path / "reviews_Beauty_5.json.gz", ["{'cut short"])
    metadata = [
        {
            "asin": "B000A",
            "title": "Shampoo 'n more",
            "description": "For hair",
            "price": 7.5,
            "imUrl": "http://example.org/1.jpg",
            "related": {"also_bought": ["B000B"]},
            "salesRank": {"Beauty": 5},
            "categories": [["Beauty", "Hair Care"], ["Beauty", "Gifts, Sets"]],
            "brand": "Wash",
        },
        {"asin": "B000B", "title": "Comb", "categories": [["Beauty"]]},
        {"asin": "B000C", "categories": [["Beauty", "Hair Care"]], "price": 3.0},
    ]
    items = write_gzip(tmp_path / "meta_Beauty.json.gz", [*map(repr, metadata), "{'asin': oops}"])
    dataset = prepare_dataset(reviews, items, tmp_path / "out", AMAZON_CONFIG)
    assert reasons(dataset) == {4: "unreadable_row"}
    assert reasons(dataset, "items") == {3: "unreadable_row"}
    table = dataset.items
    assert table["title"].tolist() == ["Shampoo 'n more", "Comb", ""]
    assert table["brand"].tolist() == ["Wash", "", ""]
    assert [list(row) for row in table["categories__values"]] == [
        ["Beauty", "Hair Care", "Gifts, Sets"],
        ["Beauty"],
        ["Beauty", "Hair Care"],
    ]
    assert table["text"][0] == "Shampoo 'n more. Wash. Beauty, Hair Care, Gifts, Sets. For hair"
    np.testing.assert_array_equal(table["price"], [7.5, np.nan, 3.0])
    train = dataset.histories("train")
    assert dataset.event_types == ["review"]
    histories = {
        str(user): (
            train.item[train.history(i)].tolist(),
            train.value[train.history(i)].tolist(),
            train.timestamp[train.history(i)].tolist(),
        )
        for i, user in enumerate(train.user)
    }
    assert histories == {
        hash_user("A1", "tfrec"): ([1], [5.0], [1_370_000_000]),
        hash_user("A2", "tfrec"): ([1], [3.0], [1_390_000_000]),
    }
    assert dataset.histories("test").target_item.tolist() == [3]
    for path in (dataset.path / "rejects").iterdir():
        assert b"A. Person" not in path.read_bytes()
    evidence = dataset.manifest.timestamps.evidence
    assert evidence == "the files of data.adapter amazon_reviews are defined so"


def test_amazon_reviews_of_2018(tmp_path):
    reviews = amazon_reviews(tmp_path / "reviews.json.gz")
    metadata = [
        {
            "category": ["Beauty", "Hair Care"],
            "description": ["First.", "Second."],
            "title": "Shampoo",
            "brand": "Wash",
            "price": "$1,012.99",
            "asin": "B000A",
        },
        {"category": [], "description": [], "title": "Comb", "price": "$5 - $9", "asin": "B000B"},
        {"category": [], "description": [], "title": "Brush", "price": ".a-box", "asin": "B000C"},
    ]
    items = write_gzip(tmp_path / "meta.json.gz", map(json.dumps, metadata))
    table = prepare_dataset(reviews, items, tmp_path / "out", AMAZON_CONFIG).items
    assert table["description"].tolist() == ["First., Second.", "", ""]
    np.testing.assert_array_equal(table["price"], [1012.99, np.nan, np.nan])
    assert [list(row) for row in table["categories__values"]] == [["Beauty", "Hair Care"], [], []]


def test_amazon_lines_are_json_or_literals_and_never_code():
    assert parse_line('{"a": null}') == {"a": None}
    assert parse_line("{'a': None}\n") == {"a": None}
    with pytest.raises(ValueError, match="malformed"):
        parse_line("__import__('os').getcwd()")


def test_amazon_files_of_another_kind(tmp_path):
    reviews = write_gzip(tmp_path / "reviews.json.gz", ['{"user": 1}'])
    items = write_gzip(tmp_path / "meta.json.gz", ['{"asin": "a", "title": "A"}'])
    with pytest.raises(UserError, match=r"reviews\.json\.gz has no rows|no column `user_id`"):
        prepare_dataset(reviews, items, tmp_path / "out", AMAZON_CONFIG)
    with pytest.raises(UserError, match=r"reviews\.json\.gz has no rows|no column `item_id`"):
        prepare_dataset(reviews, reviews, tmp_path / "out", AMAZON_CONFIG)


MOVIES_CONFIG = DataConfig(adapter="movielens", split="leave_one_out", shards=1)
RATINGS = [
    ("196", "1", "3", "881250949"),
    ("196", "2", "4", "881250950"),
    ("196", "3", "5", "881250951"),
    ("22", "1", "1", "878887116"),
]


def assert_movies(dataset):
    items = dataset.items
    assert items["item_id"].tolist() == ["1", "2", "3"]
    assert items["title"].tolist() == ["Toy Story (1995)", "Café, Le (1995)", "Odd (1996)"]
    assert [list(row) for row in items["categories__values"]] == [
        ["Animation", "Comedy"],
        ["Drama"],
        [],
    ]
    assert dataset.event_types == ["rating"]
    assert dataset.manifest.events.rejected == {}
    test = dataset.histories("test")
    assert test.user.tolist() == [hash_user("196", "tfrec")]
    assert test.item.tolist() == [1, 2]
    assert test.value.tolist() == [3, 4]
    assert test.target_item.tolist() == [3]
    assert test.target_timestamp.tolist() == [881_250_951]


def test_movielens_100k(tmp_path):
    ratings = tmp_path / "u.data"
    ratings.write_text("".join("\t".join(row) + "\n" for row in RATINGS))
    items = tmp_path / "u.item"
    lines = []
    for number, title, date, ones in (
        ("1", "Toy Story (1995)", "01-Jan-1995", {3, 5}),
        ("2", "Café, Le (1995)", "02-Feb-1995", {8}),
        ("3", "Odd (1996)", "", {0}),
    ):
        flags = ["1" if i in ones else "0" for i in range(19)]
        lines.append("|".join([number, title, date, "", "http://imdb", *flags]) + "\n")
    items.write_bytes("".join(lines).encode("latin-1"))
    dataset = prepare_dataset(ratings, items, tmp_path / "out", MOVIES_CONFIG)
    assert_movies(dataset)
    assert dataset.items["launched_at"].tolist() == [
        pd.Timestamp("1995-01-01"),
        pd.Timestamp("1995-02-02"),
        pd.NaT,
    ]


def test_movielens_1m(tmp_path):
    ratings = tmp_path / "ratings.dat"
    ratings.write_text("".join("::".join(row) + "\n" for row in RATINGS))
    items = tmp_path / "movies.dat"
    items.write_bytes(
        "1::Toy Story (1995)::Animation|Comedy\n2::Café, Le (1995)::Drama\n"
        "3::Odd (1996)::(no genres listed)\n".encode("latin-1")
    )
    assert_movies(prepare_dataset(ratings, items, tmp_path / "out", MOVIES_CONFIG))


def test_movielens_20m(tmp_path):
    ratings = tmp_path / "ratings.csv"
    ratings.write_text(
        "userId,movieId,rating,timestamp\n" + "".join(",".join(row) + "\n" for row in RATINGS)
    )
    items = tmp_path / "movies.csv"
    items.write_text(
        "movieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n"
        '2,"Café, Le (1995)",Drama\n3,Odd (1996),(no genres listed)\n'
    )
    assert_movies(prepare_dataset(ratings, items, tmp_path / "out", MOVIES_CONFIG))


def write_atomic(folder, inter, item):
    paths = folder / "shop.inter", folder / "shop.item"
    for path, lines in zip(paths, (inter, item), strict=True):
        path.write_text("".join("\t".join(line) + "\n" for line in lines))
    return paths


def test_recbole(tmp_path):
    inter, item = write_atomic(
        tmp_path,
        [("user_id:token", "item_id:token", "rating:float", "timestamp:float"), *RATINGS],
        [
            ("item_id:token", "movie_title:token_seq", "release_year:token", "class:token_seq"),
            ("1", "Toy Story (1995)", "1995", "Animation Comedy"),
            ("2", "Café, Le (1995)", "1995", "Drama"),
            ("3", "Odd (1996)", "1996", ""),
        ],
    )
    config = DataConfig(adapter="recbole", split="leave_one_out", shards=1)
    assert_movies(prepare_dataset(inter, item, tmp_path / "out", config))


def test_recbole_without_ratings_and_titles(tmp_path):
    inter, item = write_atomic(
        tmp_path,
        [
            ("user_id:token", "item_id:token", "timestamp:float"),
            *((user, item, time) for user, item, _, time in RATINGS),
        ],
        [
            ("item_id:token", "title:token", "categories:token_seq"),
            ("1", "", "a b"),
            ("2", "T", ""),
        ],
    )
    adapter = find_adapter("recbole")
    events, items = adapter.events(inter).columns, adapter.items(item).columns
    assert set(events.column("event").to_pylist()) == {"interaction"}
    assert items.column("categories").to_pylist() == [["a", "b"], []]
    item.write_text("item_id:token\n1\n")
    assert adapter.items(item).columns.column("title").to_pylist() == [None]


@pytest.mark.parametrize(
    "name", ["generic", "online_retail", "amazon_reviews", "movielens", "recbole"]
)
def test_every_configurable_adapter_is_there(name):
    assert isinstance(find_adapter(name), Adapter)


def test_an_unknown_adapter_is_a_programmers_error():
    with pytest.raises(ValueError, match=r"`name` should be one of .*Received: name='shopify'"):
        find_adapter("shopify")


def test_non_product_codes():
    from tfrec.data.adapters.online_retail import _is_non_product, _product_codes

    codes = ["POST", "m", "22633", "85123A", "gift_0001_10", "C2", "TEST001", "DCGS0004", None]
    table = table_of(item_id=codes)
    found = _is_non_product(_product_codes(table)).tolist()
    assert found == [True, True, False, False, True, True, True, False, False]
