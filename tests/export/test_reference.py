"""The reference statistics that go with an export, and with its refreshed versions."""

import numpy as np
import pytest

from tests.export.shop import events_frame
from tfrec.monitoring.drift.reference import Reference
from tfrec.monitoring.live.served import PLACES


def newest(models):
    folder = models / "retrieval"
    return max(folder.iterdir(), key=lambda version: int(version.name))


@pytest.fixture(scope="module")
def reference(models):
    found = Reference.open(newest(models))
    assert found is not None
    return found


def test_it_counts_the_events_of_the_log(reference, trained):
    """Every accepted event stands there once, whatever split it is in."""
    manifest = trained.dataset.manifest
    assert reference.statistics.events == manifest.event_counts
    counts = reference.items.events
    assert counts.sum() == sum(manifest.event_counts.values())
    frame = events_frame()
    by_item = dict(zip(reference.items.item_ids, counts, strict=True))
    most = frame["item_id"].value_counts().index[0]
    assert by_item[most] <= (frame["item_id"] == most).sum()
    assert by_item[most] > 0


def test_it_knows_when(reference):
    times = events_frame()["timestamp"]
    assert times.min() <= reference.statistics.first < reference.statistics.last <= times.max()


def test_only_the_last_days_where_so_configured(trained):
    from tfrec.export.reference import reference_of

    export = trained.config.export.model_copy(update={"reference_days": 10})
    found = reference_of(trained, trained.config.model_copy(update={"export": export}))
    statistics = found.statistics
    assert statistics.last - statistics.first <= 10 * 86_400
    assert 0 < found.items.events.sum() < len(events_frame()) / 2


def test_what_the_models_show(reference, trained):
    statistics = reference.statistics
    histories = trained.dataset.histories("test")
    assert sorted(statistics.history_lengths) == sorted(histories.lengths.tolist())
    available = trained.dataset.items["available"].to_numpy()
    assert reference.items.served[~available].sum() == 0
    candidates = trained.config.ranking.candidates
    assert reference.items.served.sum() == len(histories) * min(PLACES, candidates)
    events = trained.dataset.event_types
    assert list(statistics.calibration) == [
        events[index - 1] for index in trained.dataset.target_event_indices
    ]
    for calibration in statistics.calibration.values():
        assert calibration.shown == reference.items.served.sum()
        assert 0 < calibration.observed < 1
        assert 0 < calibration.mean_probability < 1
    # Event values are 1, so that a score is a probability.
    assert 0 < min(statistics.scores) <= max(statistics.scores) <= 1


def test_a_refresh_carries_it_over_to_the_new_items(reference, refreshed):
    models, result = refreshed
    later = Reference.open(newest(models))
    assert later is not None and later.statistics == reference.statistics
    assert len(later.items) == result.items_after == len(reference.items) + result.new
    size = len(reference.items)
    np.testing.assert_array_equal(later.items.events[:size], reference.items.events)
    assert later.items.events[size:].sum() == later.items.served[size:].sum() == 0
    assert later.items.item_ids[:size].tolist() == reference.items.item_ids.tolist()


def test_nothing_personal_is_in_it(models, trained):
    folder = newest(models) / "assets.extra/tfrec/reference"
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    users = trained.dataset.histories("test").user
    assert len(users) and not any(str(user).encode() in content for user in users)
