"""A log lived through again from a notebook."""

import numpy as np
import pandas as pd
import pytest

import tfrec
from tfrec.errors import UserError


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """A shop that sells one half of its products in spring and the other from July on."""
    folder = tmp_path_factory.mktemp("turned")
    draw = np.random.default_rng(3)
    day = pd.Timestamp("2021-01-04") + pd.to_timedelta(np.arange(0, 210).repeat(40), unit="D")
    late = day >= pd.Timestamp("2021-07-01")
    item = draw.integers(0, 20, len(day)) + 20 * late
    events = pd.DataFrame(
        {
            "user_id": [f"u{number}" for number in draw.integers(0, 60, len(day))],
            "item_id": [f"i{number:02d}" for number in item],
            "event": "purchase",
            "timestamp": day + pd.to_timedelta(draw.integers(0, 86_400, len(day)), unit="s"),
        }
    )
    titles = [f"{'lamp' if number < 20 else 'sledge'} {number}" for number in range(40)]
    items = pd.DataFrame({"item_id": [f"i{number:02d}" for number in range(40)], "title": titles})
    events.to_parquet(folder / "events.parquet")
    items.to_parquet(folder / "items.parquet")
    dataset = tfrec.load_dataset(folder, out=folder / "data")
    vectors = pd.DataFrame(
        [[1.0, 0.0] if title.startswith("lamp") else [0.0, 1.0] for title in titles],
        index=items["item_id"],
    )
    return dataset, vectors


def test_weeks_are_ordinary_until_the_world_turns(turned):
    dataset, vectors = turned
    drift = tfrec.replay_drift(dataset, vectors, "2021-05-01", days=110)
    assert list(drift.levels.index[[0, 1]] - drift.levels.index[0]) == [
        pd.Timedelta(0),
        pd.Timedelta(days=7),
    ]
    before = drift.levels[drift.levels.index <= "2021-07-01"]
    after = drift.levels[drift.levels.index > "2021-07-08"]
    assert (before["topic"] < 1.5).all() and (after["topic"] > 1.5).all()
    raised = drift.alerts[drift.alerts["state"] == "raised"]
    assert len(raised) and (raised["time"] > pd.Timestamp("2021-07-01", tz="UTC")).all()


def test_alerts_are_shown(turned):
    dataset, vectors = turned
    html = tfrec.replay_drift(dataset, vectors, "2021-05-01", days=110)._repr_html_()
    assert "Alerts" in html and "2021-07" in html


def test_an_export_before_the_log_is_refused(turned):
    dataset, vectors = turned
    with pytest.raises(UserError, match="has no event from 2018-07-03 to 2019-01-01"):
        tfrec.replay_drift(dataset, vectors, "2019-01-01")
