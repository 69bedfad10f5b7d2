"""The monitor on a real year: Christmas must raise, an ordinary week must not."""

from datetime import date

import pytest

from benchmarks.drift_replay import (
    is_ordinary,
    is_season,
    load_shop,
    make_reference,
    months,
    raised,
)
from tfrec.monitoring.drift.replay import replay


@pytest.fixture(scope="module")
def weeks():
    shop = load_shop()
    start = date(2011, 7, 1)
    return list(replay(shop, make_reference(shop, start), start))


def test_an_ordinary_week_raises_nothing(weeks):
    ordinary = [week for week in weeks if is_ordinary(week)]
    assert len(ordinary) == 8 and months(ordinary) == pytest.approx(1.84, abs=0.01)
    assert raised(ordinary) == []
    assert not any(week.firing for week in ordinary)


def test_every_week_of_the_season_is_raised(weeks):
    season = [week for week in weeks if is_season(week)]
    assert len(season) == 5
    assert all("topic" in week.firing for week in season)


def test_it_is_told_of_once_with_what_moved(weeks):
    alerts = [alert for alert in raised(weeks) if "/topic/" in alert.metric]
    assert len(alerts) == 1
    assert "christmas" in alerts[0].message
    assert "2011-09" in alerts[0].message
