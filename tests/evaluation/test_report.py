import io
import json

import numpy as np
import pytest
from rich.console import Console

from tests.evaluation.small_shop import FixedScorer, make_shop
from tfrec.config import EvaluationConfig
from tfrec.evaluation import Report, evaluate

CONFIG = EvaluationConfig(cutoffs=[1, 2], bootstrap_samples=200)


@pytest.fixture
def shop():
    return make_shop(4, [[1, 2]], [[1]] * 4, [[2], [2], [3], [4]])


@pytest.fixture
def results(shop):
    good = evaluate(FixedScorer([0, 0, 9, 8, 7], "good"), shop, "test", CONFIG)
    bad = evaluate(FixedScorer([0, 0, 7, 8, 9], "bad"), shop, "test", CONFIG)
    return [good, bad]


def rendered(table):
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()


def test_json_has_a_model_a_key_and_every_metric_with_its_interval(results, tmp_path):
    Report(results).write(tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text())
    assert list(written) == ["good", "bad"]
    good = written["good"]
    assert good["recall@1"] == 1 / 2
    assert good["recall@2"] == 3 / 4
    assert good["recall@1_low"] <= good["recall@1"] <= good["recall@1_high"]
    assert good["cases"] == 4
    assert (good["split"], good["repeats"]) == ("test", "exclude")
    assert good["slices"]["history 1-2"]["recall@1"] == 1 / 2
    assert good["slices"]["history 21+"] == {"cases": 0}
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_undefined_figures_become_null(results, tmp_path):
    figured = results[0].with_figures({"auc": float("nan"), "log_loss": 0.25})
    Report([figured]).write(tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text())["good"]
    assert written["auc"] is None
    assert written["log_loss"] == 0.25
    assert "auc" not in results[0].metrics


def test_frame_has_a_row_for_each_model_slice_and_metric(results):
    frame = Report(results).to_frame()
    whole = frame[(frame["slice"] == "all") & (frame["model"] == "good")].set_index("metric")
    assert whole.loc["recall@1", "value"] == 1 / 2 and whole.loc["recall@1", "shoppers"] == 4
    low, high = results[0].intervals["recall@1"]
    assert (whole.loc["recall@1", "low"], whole.loc["recall@1", "high"]) == (low, high)
    assert np.isnan(whole.loc["coverage@1", "low"])
    part = frame[(frame["slice"] == "history 1-2") & (frame["metric"] == "recall@1")]
    assert part["model"].tolist() == ["good", "bad"] and part["value"].iloc[0] == 1 / 2
    assert "history 21+" not in set(frame["slice"])


def test_table_shows_every_metric_of_every_model(results):
    text = rendered(Report([results[0].with_figures({"auc": 0.875}), results[1]]).table())
    assert "test · 4 shoppers · only new to the shopper" in text
    assert all(name in text for name in [*results[0].metrics, "good", "bad"])
    assert "0.5000 ±" in text
    auc = next(line for line in text.splitlines() if "auc" in line)
    assert "0.8750" in auc and "-" in auc


def test_table_groups_a_metric_by_cutoff(results):
    lines = rendered(Report(results).table()).splitlines()
    shown = [word for line in lines for word in line.split()[1:2] if "@" in word]
    assert shown[:6] == [f"{name}@{k}" for name in ("recall", "ndcg", "mrr") for k in (1, 2)]
    assert shown[6:8] == ["coverage@1", "coverage@2"]


def test_print_shows_all_tables(results):
    console = Console(file=io.StringIO(), width=200)
    Report(results).print(console, against="bad")
    printed = console.file.getvalue()
    assert "difference to bad" in printed and "ndcg@2 by slice" in printed


def test_slices_table_counts_shoppers(results):
    text = rendered(Report(results).slices_table("recall@1"))
    row = next(line for line in text.splitlines() if "history 1-2" in line)
    assert "4" in row and "0.5000" in row and "0.2500" in row


def test_headline_is_the_largest_cutoff_up_to_20(shop):
    def headline(cutoffs):
        config = EvaluationConfig(cutoffs=cutoffs, bootstrap_samples=5)
        return Report([evaluate(FixedScorer(np.ones(5)), shop, "test", config)]).headline_cutoff

    assert headline([5, 20, 100]) == 20
    assert headline([10, 5, 100]) == 10
    assert headline([50, 100]) == 50


def test_differences_are_paired():
    # Model a finds what b finds and a little more: each interval is wide, the difference not.
    generator = np.random.default_rng(0)
    count = 300
    shop = make_shop(3, [[1]], [[] for _ in range(count)], [[2]] * count)
    found_b = generator.random(count) < 0.5
    found_a = found_b | (generator.random(count) < 0.1)
    scores = lambda found: np.stack([[0, 5, 9 if f else 1, 0] for f in found])  # noqa: E731
    config = EvaluationConfig(cutoffs=[1], bootstrap_samples=500)
    a = evaluate(FixedScorer(scores(found_a), "a"), shop, "test", config)
    b = evaluate(FixedScorer(scores(found_b), "b"), shop, "test", config)
    difference = a.minus(b)["recall@1"]
    assert difference.mean == pytest.approx(a.metrics["recall@1"] - b.metrics["recall@1"])
    assert difference.significant and difference.low > 0
    assert a.intervals["recall@1"][0] < b.intervals["recall@1"][1]
    own_width = a.intervals["recall@1"][1] - a.intervals["recall@1"][0]
    assert difference.high - difference.low < own_width / 2
    assert b.minus(a)["recall@1"].significant
    assert not a.minus(a)["recall@1"].significant
    text = rendered(Report([a, b]).differences_table("b"))
    assert f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]*" in text


def test_results_that_cannot_be_compared_are_refused(shop, results):
    fewer = evaluate(
        FixedScorer(np.ones(5), "fewer"), shop, "test", CONFIG, subset=np.array([0, 1])
    )
    with pytest.raises(ValueError, match="4 and 2 shoppers"):
        results[0].minus(fewer)
    with pytest.raises(ValueError, match="should share split"):
        Report([results[0], fewer])
    with pytest.raises(ValueError, match="distinct names"):
        Report([results[0], results[0]])
    with pytest.raises(ValueError, match="at least one"):
        Report([])
    with pytest.raises(KeyError):
        Report(results)["ugly"]
    assert Report(results)["bad"] is results[1]


def test_the_same_seed_gives_the_same_report(shop, results):
    again = evaluate(FixedScorer([0, 0, 9, 8, 7], "good"), shop, "test", CONFIG)
    assert again.to_json() == results[0].to_json()
