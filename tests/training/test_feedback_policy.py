"""What a run would have shown in the place of logged lists, and the command that compares."""

import json

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from pipelines.cli import tfrec_command
from tests.feedback.lines import did, end, shown
from tests.monitoring.shop import write_log
from tests.training.planted_shop import DAY, NUM_ITEMS
from tfrec.config import FeedbackConfig, SurfaceConfig
from tfrec.errors import UserError
from tfrec.feedback.labels import make_examples
from tfrec.towers.histories import pad_histories
from tfrec.training.feedback_lists import feedback_histories
from tfrec.training.feedback_policy import orders_of_run
from tfrec.training.loading import TrainedRun

AFTER = 200 * DAY


def log_of_a_poor_model(lists=60):
    """Shoppers who just bought an item are shown five at random, and want the one after it."""
    random = np.random.default_rng(0)
    lines = []
    for number in range(lists):
        time, user = AFTER + 3600.0 * number, f"{number:016x}"
        had = int(random.integers(NUM_ITEMS))
        items = random.permutation(NUM_ITEMS)[:5]
        lines.append(did(time - 60, f"i{had:02d}", "purchase", user=user))
        names = [f"i{item:02d}" for item in items]
        chance = [1 / NUM_ITEMS] * 5
        lines.append(shown(time, names, user, number, propensities=chance))
        lines += [
            did(time + 5, f"i{item:02d}", user=user, number=number)
            for item in items
            if (item - had) % NUM_ITEMS == 1 or random.random() < 0.05
        ]
    return [*lines, end(days=300)]


@pytest.fixture(scope="module")
def trained(planted_run):
    return TrainedRun.open(planted_run.path)


def test_orders_are_those_of_the_recommender(trained):
    config = FeedbackConfig(places=5)
    table = make_examples(
        log_of_a_poor_model(lists=7), config, SurfaceConfig(), by_score=False
    ).table
    orders = orders_of_run(trained, table)
    history = pad_histories(feedback_histories(table, trained.dataset), 16)
    items, values, _ = trained.recommender().recommend(history, tf.zeros([7, 1], tf.int64))
    names = trained.dataset.items["item_id"].to_numpy()
    assert orders.items.tolist() == names[items.numpy() - 1].tolist()
    np.testing.assert_allclose(orders.scores, values, rtol=1e-5)


def evaluate(*arguments):
    return CliRunner().invoke(tfrec_command, ["feedback", "evaluate", *map(str, arguments)])


def test_command(planted_run, tmp_path):
    write_log(tmp_path / "log", [line.model_dump() for line in log_of_a_poor_model()])
    (tmp_path / "shop.yaml").write_text("feedback: {places: 5}\n")
    options = ("--event-log", tmp_path / "log", "--run", planted_run.path)
    done = evaluate(*options, "--config", tmp_path / "shop.yaml", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["model"] == "item-position" and told["support"]["lists"] == 60
    clicks = told["estimates"]["click"]
    # What the planted shop's model would show is clicked far more than items at random.
    assert clicks["SNIPS"]["value"] > clicks["logged"]["value"] > 0
    assert set(told["estimates"]) == {"click"}, "nothing was bought of a list"
    assert "lists of 60 shoppers" in evaluate(*options).output


def test_mistakes_are_said_in_a_sentence(planted_run, tmp_path):
    folder = write_log(tmp_path / "log", [shown(0).model_dump()]).parent
    nothing = evaluate("--event-log", folder, "--run", planted_run.path)
    assert "1 window not over" in str(nothing.exception)
    write_log(folder, [shown(0).model_dump(), did(5, "a").model_dump(), end().model_dump()])
    no_ranking = tmp_path / "run"
    no_ranking.mkdir()
    (no_ranking / "retrieval").symlink_to(planted_run.path / "retrieval")
    missing = evaluate("--event-log", folder, "--run", no_ranking)
    assert isinstance(missing.exception, UserError)
    assert "has no ranking model" in str(missing.exception)
    ignored = evaluate("--event-log", folder, "--run", planted_run.path, "--from", "2023-12-01")
    assert "can be compared: 1 before the time asked for" in str(ignored.exception)
    unsaid = evaluate("--event-log", folder, "--run", planted_run.path)
    assert "does not say how likely its lists were" in str(unsaid.exception)
