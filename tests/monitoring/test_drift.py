"""Reference statistics and how live traffic is compared with them."""

import json

import numpy as np
import pytest

from tests.monitoring.shop import (
    DAY,
    ITEMS,
    START,
    event_line,
    items_frame,
    make_reference,
    ordinary_events,
    served_line,
    vectors,
)
from tfrec.errors import UserError
from tfrec.files import read_json, write_json
from tfrec.monitoring.drift.item_profile import ItemProfile, principal_components
from tfrec.monitoring.drift.reference import FOLDER, STATISTICS, Calibration, Reference, quantiles
from tfrec.monitoring.drift.shifts import Shift, category_shift, item_shifts, times_usual
from tfrec.monitoring.drift.topics import find_topics
from tfrec.monitoring.drift.watch import DriftWatch
from tfrec.monitoring.live.config import DriftConfig
from tfrec.monitoring.live.event_log import ServedList, ShopperEvent
from tfrec.monitoring.live.served import ServedTraffic


@pytest.fixture(scope="module")
def reference():
    return make_reference()


def week_of(reference, weights, days=7, a_day=200, event="purchase"):
    """Returns the figures after a week with items drawn by `weights`."""
    watch = DriftWatch(reference, DriftConfig(window_days=days))
    random = np.random.default_rng(7)
    for row in random.choice(ITEMS, days * a_day, p=weights / weights.sum()):
        watch.add_event(event, f"item-{row:02}", START + float(random.integers(days * DAY)))
    return watch.compare(START + days * DAY).figures


class TestItemProfile:
    def test_topics_are_named_by_what_sets_them_apart(self, reference):
        for number, name in enumerate(reference.items.topics):
            kind = ["lamp", "dress"][np.flatnonzero(reference.items.topic == number)[0] % 2]
            assert kind in name

    def test_topics_hold_items_of_one_kind(self, reference):
        for topic in range(len(reference.items.topics)):
            assert len(set(np.flatnonzero(reference.items.topic == topic) % 2)) == 1

    def test_one_item_is_one_topic(self):
        topic, names = find_topics(np.zeros((1, 3)), ["lamp"])
        assert (topic.tolist(), len(names)) == ([0], 1)

    def test_popularity_groups(self):
        events = np.array([100, 50, 20, 10, 5, 4, 3, 2, 1, 1, 0])
        items = ItemProfile(
            np.array([str(i) for i in range(11)], object), np.array(["x"] * 11, object),
            np.ones(11), np.zeros(11, int), ["1"], np.zeros((11, 1)), events, events,
        )  # fmt: skip
        assert items.popularity.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4]
        assert items.head.tolist() == list(range(11))

    def test_counts_by_id_and_unknown_ones(self, reference):
        counts, unknown = reference.items.counts({"item-03": 2, "nobody": 5})
        assert (counts[3], counts.sum(), unknown) == (2, 2, 5)

    def test_principal_components_keep_the_distances(self):
        found = principal_components(vectors(), 2)
        assert np.linalg.norm(found[0] - found[1]) == pytest.approx(
            np.linalg.norm(vectors()[0] - vectors()[1]), rel=1e-5
        )


class TestShifts:
    def test_what_moved_is_said_with_shares(self):
        shift = category_shift({"view": 90, "purchase": 10}, {"view": 50, "purchase": 50, "x": 9})
        assert shift.moved == "view 90 % → 50 %, purchase 10 % → 50 %"
        assert shift.main[0] == "psi"

    def test_new_items_are_left_out_of_the_item_shares(self, reference):
        old = reference.items.events.copy()
        old[0] = 0
        live = old.copy()
        live[0] = 10 * old.sum()
        shifts = item_shifts(reference.items, old, live)
        assert shifts["item"].main[1] == shifts["popularity"].main[1] == 0
        assert shifts["topic"].main[1] > 0.1

    def test_times_usual_has_a_floor(self):
        shift = Shift({"psi": 0.3}, "")
        assert times_usual(shift, 0.6) == pytest.approx(0.5)
        assert times_usual(shift, 0.001) == pytest.approx(3.0)
        assert times_usual(shift, None) == pytest.approx(3.0)

    def test_prices(self, reference):
        live = np.where(np.arange(ITEMS) % 2, 30, 1)
        shift = item_shifts(reference.items, reference.items.events, live)["price"]
        assert shift.main[1] == pytest.approx(0.5, abs=0.06)
        assert shift.moved.endswith("→ 22.00")


class TestVectorColumns:
    """Half of the lamps and all dresses but one have a picture: lamps point up, dresses right."""

    @pytest.fixture
    def profile(self):
        pictures = [
            None if i % 4 == 0 or i == 1 else np.float32([i % 2, 1 - i % 2, 0.1 * (i % 3)])
            for i in range(ITEMS)
        ]
        items = items_frame().assign(picture=pictures, nothing=None)
        return ItemProfile.of(
            items, vectors(), np.ones(ITEMS, int), None, ["picture", "nothing", "absent"]
        )

    def test_what_shoppers_look_at_moves_the_centroid(self, profile):
        assert list(profile.columns) == ["picture"]
        lamps = np.where(np.arange(ITEMS) % 2, 0, 1)
        shifts = item_shifts(profile, profile.events, lamps)
        assert shifts["picture_centroid"].main[1] > 1.0
        # What has no picture says nothing of pictures.
        bare = profile.events + 50 * ~profile.columns["picture"].any(axis=1)
        assert item_shifts(profile, profile.events, bare)["picture_centroid"].main[1] < 1e-9

    def test_the_share_with_a_picture(self, profile):
        live = np.where(profile.columns["picture"].any(axis=1), 1, 0)
        assert live.sum() == 29
        shift = item_shifts(profile, profile.events, live)["picture_present"]
        assert shift.moved == "without picture 28 % → 0 %, with picture 72 % → 100 %"

    def test_it_survives_writing_and_reading(self, profile, tmp_path):
        profile.write(tmp_path / "items.parquet")
        again = ItemProfile.read(tmp_path / "items.parquet")
        np.testing.assert_array_equal(again.columns["picture"], profile.columns["picture"])

    def test_without_any_there_is_no_feature(self, reference):
        shifts = item_shifts(reference.items, reference.items.events, reference.items.events)
        assert not reference.items.columns and set(shifts) == {
            *("item", "topic", "popularity", "centroid", "price")
        }


class TestReference:
    def test_usual_levels_of_days_and_weeks(self, reference):
        usual = reference.statistics.usual
        # Of 28 days less some minutes, 27 whole days count, and three weeks are too few.
        assert usual["1"].windows == 27 and "7" not in usual
        assert usual["1"].events == pytest.approx(200, abs=20)
        assert 0 < usual["1"].levels["topic"] < 0.1

    def test_the_nearest_length_is_taken(self, reference):
        assert reference.usual(0.5) is reference.statistics.usual["1"]
        assert (
            Reference(reference.statistics.model_copy(update={"usual": {}}), reference.items).usual(
                7
            )
            is None
        )

    def test_it_survives_writing_and_reading(self, reference, tmp_path):
        reference.write(tmp_path / FOLDER)
        again = Reference.open(tmp_path)
        assert again is not None and again.statistics == reference.statistics
        assert again.items.topics == reference.items.topics
        for name in ("item_ids", "titles", "prices", "topic", "vectors", "events", "served"):
            np.testing.assert_array_equal(
                getattr(again.items, name), getattr(reference.items, name), err_msg=name
            )

    def test_a_version_without_one(self, tmp_path):
        assert Reference.open(tmp_path) is None

    @pytest.mark.parametrize("change, words", [
        ({"format": 99}, "not of this version"),
        ({"events": "many"}, "are damaged"),
    ])  # fmt: skip
    def test_one_that_cannot_be_read_is_a_users_matter(self, reference, tmp_path, change, words):
        reference.write(tmp_path / "r")
        content = json.loads((tmp_path / "r" / STATISTICS).read_text())
        (tmp_path / "r" / STATISTICS).write_text(json.dumps({**content, **change}))
        with pytest.raises(UserError, match=words):
            Reference.read(tmp_path / "r")

    def test_quantiles_keep_the_spread(self):
        values = np.arange(10_000.0)
        kept = np.array(quantiles(values))
        assert len(kept) == 500 and np.median(kept) == pytest.approx(4999.5)
        assert quantiles(np.array([3, 1])) == [1.0, 3.0]

    def test_calibration_ratio(self):
        found = Calibration(shown=10, mean_probability=0.1, observed=0.05)
        assert found.ratio == pytest.approx(0.5)
        assert np.isnan(found.model_copy(update={"mean_probability": 0.0}).ratio)

    @pytest.mark.parametrize(
        "calibration", [None, {"shown": 10, "mean_score": 0.1, "observed": 0.05}]
    )
    def test_a_calibration_of_scores_is_left_out(self, tmp_path, reference, calibration):
        reference.write(tmp_path / "r")
        path = tmp_path / "r" / "statistics.json"
        write_json(path, read_json(path) | {"calibration": calibration})
        assert Reference.read(tmp_path / "r").statistics.calibration == {}


class TestWatch:
    def test_an_ordinary_week_is_within_its_usual_levels(self, reference):
        figures = week_of(reference, np.ones(ITEMS))
        times = {t: f.value for t, f in figures.items() if t.endswith("times_usual")}
        assert len(times) == 6
        assert max(times.values()) < 1.5

    def test_a_week_of_dresses_is_not(self, reference):
        figures = week_of(reference, np.where(np.arange(ITEMS) % 2, 5.0, 1.0))
        for feature in ("topic", "price", "centroid", "item"):
            assert figures[f"drift/behaviour/{feature}/times_usual"].value > 1.5, feature
        assert "dress" in figures["drift/behaviour/topic/psi"].moved

    def test_other_events_do_not_count(self, reference):
        figures = week_of(reference, np.ones(ITEMS), event="click")
        assert figures["drift/behaviour/events"].value == 0

    def test_a_window_with_few_events_says_nothing(self, reference):
        figures = week_of(reference, np.ones(ITEMS), a_day=2)
        assert set(figures) == {"drift/behaviour/events"}

    def test_what_is_older_than_the_window_is_forgotten(self, reference):
        watch = DriftWatch(reference, DriftConfig(window_days=1, min_events=1))
        watch.add_event("purchase", "item-00", START)
        assert watch.compare(START + 0.5 * DAY).figures["drift/behaviour/events"].value == 1
        assert watch.compare(START + 1.1 * DAY).figures["drift/behaviour/events"].value == 0

    def test_impressions_and_lists_are_not_what_shoppers_do(self, reference):
        watch = DriftWatch(reference, DriftConfig())
        watch.add(ShopperEvent(**event_line(START, event="impression")))
        watch.add(ServedList(**served_line(START)))
        watch.add(ShopperEvent(**event_line(START, event="purchase")))
        assert watch.compare(START).figures["drift/behaviour/events"].value == 1

    def test_new_and_unknown_items(self, reference):
        watch = DriftWatch(reference, DriftConfig(min_events=1))
        for item, times in (("item-00", 300), ("unheard-of", 100)):
            for _ in range(times):
                watch.add_event("purchase", item, START)
        figures = watch.compare(START).figures
        assert figures["drift/behaviour/unknown_item_share"].value == 0.25
        assert figures["drift/behaviour/new_item_share"].value == 0.25

    def test_what_is_served(self, reference):
        served = ServedTraffic(DAY, attribution_seconds=DAY)
        for number in range(300):
            line = served_line(
                START, user=f"u{number}", number=number, items=["item-00", "item-39"],
                scores=[1.8, 0.2], probabilities={"purchase": [0.9, 0.1]}, history_length=40,
            )  # fmt: skip
            served.add(ServedList(**line))
            served.add(
                ShopperEvent(**event_line(START + 1, "item-00", "purchase", user=f"u{number}"))
            )
        report = DriftWatch(reference, DriftConfig(min_events=100)).compare(START + 2, served)
        figures = {tag: figure.value for tag, figure in report.figures.items()}
        # Of two shown items one was bought each, as the probabilities say: 1/2 in the mean.
        assert figures["drift/calibration/observed_over_expected"] == pytest.approx(1.0)
        assert figures["drift/calibration/times_reference"] == pytest.approx(2.0)
        assert figures["drift/history_length/ks"] == 1.0
        assert figures["drift/scores/ks"] == pytest.approx(0.5, abs=0.02)
        assert figures["drift/served/item/times_usual"] > 3
        assert len(report.samples["drift/scores"]) == 600


def test_a_log_without_times_has_no_usual_levels():
    from tfrec.monitoring.drift.reference import usual_windows

    item, _ = ordinary_events(days=1)
    reference = make_reference()
    assert usual_windows(reference.items, item, np.zeros(len(item), np.int64)) == {}
