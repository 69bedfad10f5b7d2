import numpy as np
import pytest

from tfrec.launch.sales import NEVER, Sales


@pytest.fixture
def sales():
    """Product 0 is sold on days 0, 1 and 5, product 1 on day 3 to one user twice, 2 never."""
    return Sales(
        origin=np.datetime64("2024-01-01"),
        users=np.array(["a", "b", "c"]),
        num_items=3,
        user=np.array([0, 1, 0, 2, 2]),
        item=np.array([0, 0, 0, 1, 1]),
        day=np.array([0, 1, 5, 3, 3]),
        units=np.array([1.0, 2.0, 4.0, 8.0, 16.0]),
    )


def test_first_days(sales):
    assert sales.first_day.tolist() == [0, 3, NEVER]
    assert sales.end == 6


def test_a_window_counts_each_customer_once(sales):
    customers, units = sales.window(1, 5)
    assert customers.tolist() == [1, 1, 0]
    assert units.tolist() == [2, 24, 0]


def test_starts_count_from_the_first_sale_of_each_product(sales):
    customers, units = sales.starts(5)
    assert customers.tolist() == [2, 1, 0]
    assert units.tolist() == [3, 24, 0]


def test_before_a_day_leaves_that_day_out(sales):
    assert sales.before(3).first_day.tolist() == [0, NEVER, NEVER]


def test_days_and_dates(sales):
    assert sales.date(3) == np.datetime64("2024-01-04")
    assert sales.day_of(np.datetime64("2023-12-31")) == -1


def test_further_products_have_no_sales(sales):
    assert sales.with_items(2).window(0, 6)[0].tolist() == [2, 1, 0, 0, 0]
