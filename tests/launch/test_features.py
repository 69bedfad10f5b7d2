import numpy as np
import pytest

from tests.launch import shop
from tfrec.launch.features import Eve, launch_features, seen_launches
from tfrec.launch.products import products
from tfrec.launch.sales import NEVER, Sales


def shop_sales(catalogue, log):
    users, names = log["user_id"].factorize()
    days = (log["timestamp"] - shop.START).dt.days.to_numpy()
    row = catalogue["item_id"].reset_index().set_index("item_id")["index"]
    return Sales(
        origin=np.datetime64("2024-01-01"),
        users=names.to_numpy(str),
        num_items=len(catalogue),
        user=users.astype(np.int64),
        item=log["item_id"].map(row).to_numpy(np.int64),
        day=days,
        units=log["quantity"].to_numpy(float),
    )


@pytest.fixture(scope="module")
def small_shop():
    catalogue = shop.items()
    made = products(
        catalogue["item_id"],
        catalogue["title"],
        catalogue["price"],
        shop.word_vectors(catalogue["title"].tolist()),
    )
    return made.centred(np.arange(30)), shop_sales(catalogue, shop.events(catalogue))


def test_nothing_after_the_eve_is_seen(small_shop):
    made, sales = small_shop
    day = 120
    later = Sales(
        sales.origin,
        sales.users,
        sales.num_items,
        sales.user,
        # After the day, everybody buys the last product.
        np.where(sales.day >= day, sales.num_items - 1, sales.item),
        sales.day,
        np.where(sales.day >= day, 1000.0, sales.units),
    )
    rows = np.flatnonzero((sales.first_day >= day) & (sales.first_day < NEVER))[:5]
    seasons = np.full(len(rows), 120.0)
    one = launch_features(made, Eve.of(sales, day), rows, seasons)
    other = launch_features(made, Eve.of(later, day), rows, seasons)
    assert list(one) == list(other)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def test_products_of_the_first_month_are_no_launches(small_shop):
    _, sales = small_shop
    launches = seen_launches(sales)
    assert launches.min() == 30
    assert sales.first_day[launches].max() + 30 <= sales.end


def test_neighbours_of_the_same_kind_give_their_demand(small_shop):
    made, sales = small_shop
    eve = Eve.of(sales, 120)
    rows = np.flatnonzero(sales.first_day >= 120)[:3]
    kinds = [made.title[row].split()[1] for row in rows]
    found = dict(
        zip(kinds, launch_features(made, eve, rows, np.zeros(3))["launch_customers_3"], strict=True)
    )
    assert found["bag"] > found["mug"] > found["ring"]
    assert np.expm1(found["bag"]) == pytest.approx(25, abs=3)


def test_ids_without_numbers_say_nothing(small_shop):
    made, sales = small_shop
    named = products(
        ["x" if row == 80 else name for row, name in enumerate(made.item_id)],
        made.title,
        made.price,
        made.vectors,
    )
    found = launch_features(named, Eve.of(sales, 120), np.array([80, 81]), np.zeros(2))
    assert np.isnan(found["number_age"]).tolist() == [True, False]
    without = launch_features(named, Eve.of(sales, 120), np.array([80]), np.zeros(1), use_ids=False)
    assert not any(name.startswith("number") for name in without)
