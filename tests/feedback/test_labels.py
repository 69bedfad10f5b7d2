"""Examples of a log: labels, places, propensities, histories, and the command."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from pipelines.cli import tfrec_command
from tests.feedback.lines import DAY, START, did, end, shown
from tests.monitoring.shop import write_log
from tfrec.config import FeedbackConfig, SurfaceConfig
from tfrec.errors import UserError
from tfrec.feedback.examples import load_examples
from tfrec.feedback.exploration import shown_chances
from tfrec.feedback.joining import KEPT, LABEL, ORGANIC
from tfrec.feedback.labels import make_examples
from tfrec.feedback.simulation import simulate

SURFACE = SurfaceConfig(places=2, depth=3, exploration_share=0.2)
LINES = [
    did(-9, "x", "view"),
    shown(0, ["a", "b", "c"], scores=[0.2, 0.3, 0.1]),
    did(5, "b", number=0),
    did(6, "b", "purchase"),
    did(7, "b", "purchase"),
    end(),
]


def examples(lines, by_score=False, **config):
    settings = FeedbackConfig.model_validate({"places": 2, **config})
    return make_examples(lines, settings, SURFACE, by_score=by_score)


def test_an_example():
    made = examples(LINES)
    assert len(made.table) == 1
    row = made.table.iloc[0]
    assert row["time"] == START and row["model_version"] == 1
    assert row["item_id"] == ["a", "b"] and row["position"].tolist() == [1, 2]
    assert row["label_click"].tolist() == row["label_purchase"].tolist() == [False, True]
    assert not row["label_cart"].any()
    assert (row["history_item_id"], row["history_event"]) == (["x"], ["view"])
    assert row["history_timestamp"].tolist() == [int(START) - 9]
    assert np.isnan(row["propensity"]).all(), "nobody said how the order came about"
    assert made.labels == {"click": 1, "cart": 0, "purchase": 1}


def test_every_line_is_an_example_a_label_an_impression_or_a_reject():
    made = examples([*LINES, shown(29 * DAY, number=1), did(8, "c", number=0)])
    lists, events = made.counts["lists"], made.counts["events"]
    assert sum(lists.values()) == 2 and sum(events.values()) == 6
    assert lists[KEPT] == len(made.table) and events[LABEL] == sum(made.labels.values())
    assert len(made.rejects) == 8 - lists[KEPT] - events[LABEL]
    reasons = made.rejects.groupby("kind")["reason"].value_counts()
    assert reasons["event"].to_dict() == {
        outcome: count for outcome, count in events.items() if outcome != LABEL
    }
    assert events[ORGANIC] == 1


def test_propensities_of_the_impression_before_the_lists_before_the_computed():
    computed = examples(LINES, by_score=True).table["propensity"][0]
    expected = shown_chances(np.array([0.2, 0.3, 0.1]), 3, 2, 0.2)[:2]
    np.testing.assert_allclose(computed, expected, rtol=1e-6)
    logged = shown(0, ["a", "b"], scores=[0.2, 0.3], propensities=[0.9, 0.8])
    seen = [
        did(1, "a", "impression", number=0),
        did(1, "b", "impression", number=0, propensity=0.7),
    ]
    found = examples([logged, *seen, end()], by_score=True).table["propensity"][0]
    np.testing.assert_allclose(found, [0.9, 0.7], rtol=1e-6)


def log_of_a_biased_shop(lists=3000):
    random = np.random.default_rng(0)
    attraction = random.beta(1, 3, size=(lists, 8))
    scores = attraction + random.normal(0, 0.1, attraction.shape)
    log = simulate(attraction, scores, np.array([1.0, 0.4]), share=0.2, random=random)
    return [*log.lines(START, shoppers=500), end()]


@pytest.mark.parametrize("scored", [True, False])
def test_where_shoppers_look(scored):
    lines = log_of_a_biased_shop()
    if not scored:  # then items are compared with themselves at other places
        lines = [
            line.model_copy(update={"scores": None}) if hasattr(line, "scores") else line
            for line in lines
        ]
    made = examples(lines)
    assert made.examination.known.all()
    if scored:
        np.testing.assert_allclose(made.examination.chances, [1.0, 0.4], rtol=0.1)
    np.testing.assert_allclose(made.table["examination"][5], made.examination.chances, rtol=1e-6)


def test_without_clicks_all_places_count_alike_and_that_is_said():
    made = examples([shown(0), end()])
    assert made.examination is None and made.table["examination"][0].tolist() == [1.0, 1.0]
    assert "no item was the object of a click" in made.warnings[0]
    assert "no item was the object of a click" in repr(made)


def test_lines_that_cannot_be_read_are_counted_too():
    assert "unreadable" not in repr(examples(LINES))
    settings = FeedbackConfig.model_validate({"places": 2})
    broken = make_examples(LINES, settings, SURFACE, by_score=False, bad_lines=1234)
    assert "unreadable" in repr(broken) and "1,234" in repr(broken)


def test_examples_come_back_from_the_disk(tmp_path):
    made = examples(LINES)
    made.save(tmp_path / "examples")
    loaded = load_examples(tmp_path / "examples")
    assert list(loaded.columns) == list(made.table.columns)
    assert loaded["item_id"][0].tolist() == ["a", "b"]
    assert loaded["label_click"][0].tolist() == [False, True]
    rejects = pd.read_parquet(tmp_path / "examples" / "rejects.parquet")
    assert rejects["reason"].tolist() == made.rejects["reason"].tolist()


def test_no_examples_there(tmp_path):
    with pytest.raises(UserError, match="tfrec feedback labels"):
        load_examples(tmp_path)


def labels_command(*arguments):
    return CliRunner().invoke(tfrec_command, ["feedback", "labels", *map(str, arguments)])


def test_command(tmp_path):
    write_log(tmp_path / "log", [line.model_dump() for line in LINES])
    (tmp_path / "shop.yaml").write_text("feedback: {places: 2}\n")
    options = ("--event-log", tmp_path / "log", "--out", tmp_path / "out")
    done = labels_command(*options, "--config", tmp_path / "shop.yaml", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["labels"] == {"click": 1, "cart": 0, "purchase": 1}
    assert told == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert len(load_examples(tmp_path / "out")) == 1
    assert "1 examples are in" in labels_command(*options).output
    # The list was served at 22:13:20 on this day.
    for limit in (("--from", "2023-11-14T22:13:21"), ("--until", "2023-11-14T22:13:20")):
        nothing = labels_command(*options, *limit)
        assert "became an example" in str(nothing.exception)
    wrong = labels_command(*options, "--from", "yesterday")
    assert "--from should be a time such as" in str(wrong.exception)


def test_mistakes_are_said_in_a_sentence(tmp_path):
    options = ("--event-log", tmp_path / "log", "--out", tmp_path / "out")
    missing = labels_command(*options)
    assert isinstance(missing.exception, UserError) and "--events-log" in str(missing.exception)
    write_log(tmp_path / "log", [shown(0).model_dump()])
    early = labels_command(*options)
    assert "1 window not over" in str(early.exception)
    assert not (tmp_path / "out").exists()
