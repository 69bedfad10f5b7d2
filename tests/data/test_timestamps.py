import datetime

import numpy as np
import pyarrow as pa
import pytest

from tests.data.shop import table_of
from tfrec.data.timestamps import parse_timestamps
from tfrec.errors import UserError

MOMENT = np.datetime64("2023-11-14T22:13:20", "us")


def parse(values, **options):
    table = table_of(timestamp=values)
    return parse_timestamps(table, "timestamp", **options)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([1_700_000_000, 1_700_000_000], "seconds"),
        ([1_700_000_000.0, None], "seconds"),
        (["1700000000", ""], "seconds"),
        ([1_700_000_000_000], "milliseconds"),
        (["1700000000000"], "milliseconds"),
        ([datetime.datetime(2023, 11, 14, 22, 13, 20)], "datetime"),
        (["2023-11-14T22:13:20Z"], "datetime"),
        (["2023-11-14 23:13:20+01:00"], "datetime"),
        (["2023-11-14 22:13:20", None], "datetime"),
        (["14/11/2023 22:13:20"], "datetime"),
        (["11/14/2023 10:13:20 PM"], "datetime"),
        (["14.11.2023 22:13:20", "01.02.2023 00:00:00"], "datetime"),
        (pa.array([1_700_000_000_000_000_000], pa.timestamp("ns")), "datetime"),
        (pa.array([1_700_000_000], pa.timestamp("s", tz="Asia/Tokyo")), "datetime"),
    ],
)
def test_the_unit_is_found_and_told(values, unit):
    parsed = parse(values)
    assert parsed.values[0] == MOMENT
    assert parsed.unit == unit
    assert len(parsed.evidence) > 10
    assert not parsed.wrong.any()


def test_dates_are_midnights():
    assert parse([datetime.date(2023, 11, 14)]).values[0] == np.datetime64("2023-11-14", "us")
    assert parse(["2023-11-14"]).values[0] == np.datetime64("2023-11-14", "us")


def test_milliseconds_keep_their_order_within_a_second():
    values = parse([1_700_000_000_250, 1_700_000_000_750]).values
    assert (values[1] - values[0]).astype(int) == 500_000


@pytest.mark.parametrize(
    "values",
    [
        [0, 1, 2],
        [20231114, 20231115],
        [1_700_000_000_000_000],
        [1_700_000_000, 1_700_000_000_000],
        ["1", "2"],
    ],
)
def test_ambiguous_numbers_are_never_guessed(values):
    with pytest.raises(UserError, match=r"neither clearly seconds.*set data\.timestamp_unit"):
        parse(values)


def test_day_and_month_that_could_be_swapped_are_never_guessed():
    with pytest.raises(UserError, match=r"both as .* and as .*set data\.timestamp_format"):
        parse(["01/02/2023 10:00", "03/04/2023 11:00"])
    days = parse(["01/02/2023", "03/04/2023"], format="%d/%m/%Y").values
    assert days[0] == np.datetime64("2023-02-01", "us")


def test_a_day_beyond_twelve_settles_the_order():
    early = [f"0{month}/0{day}/2023" for month in range(1, 10) for day in range(1, 5)]
    assert parse([*early, "01/31/2023"]).values[1] == np.datetime64("2023-01-02", "us")
    assert parse([*early, "31/01/2023"]).values[1] == np.datetime64("2023-02-01", "us")


def test_unreadable_text_is_refused_as_a_whole_and_rejected_as_a_row():
    with pytest.raises(UserError, match=r"no timestamps that can be read, such as row 0: 'soon'"):
        parse(["soon", "later"])
    parsed = parse(["2023-11-14", "soon", None, "2023-11-15"])
    assert parsed.wrong.tolist() == [False, True, False, False]
    assert np.isnat(parsed.values).tolist() == [False, True, True, False]


def test_the_configured_unit_wins_but_must_fit_the_type():
    assert parse([5], unit="seconds").values[0] == np.datetime64("1970-01-01T00:00:05", "us")
    assert parse(["5"], unit="milliseconds").values[0] == np.datetime64(5000, "us")
    with pytest.raises(UserError, match=r"timestamp_unit is datetime.*holds numbers"):
        parse([1_700_000_000], unit="datetime")
    with pytest.raises(UserError, match=r"timestamp_unit is seconds.*holds datetimes"):
        parse([datetime.datetime(2023, 11, 14)], unit="seconds")


def test_numbers_beyond_all_time_are_wrong_and_do_not_overflow():
    parsed = parse([1_700_000_000] * 40 + [10**18])
    assert parsed.wrong.tolist() == [False] * 40 + [True]


def test_other_types_are_refused():
    with pytest.raises(UserError, match="holds bool"):
        parse([True])
