"""The numbers behind the tables and pictures of benchmarks.quality."""

import io
import json
import math

import click
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks import quality as benchmark
from benchmarks.machine import machine
from benchmarks.quality_curves import (
    Bin,
    bins_of,
    label_of,
    quality,
    quality_by,
    same_targets,
)
from benchmarks.quality_plots import draw_bins, draw_time, sources_of, table_of
from tfrec.errors import UserError

RANKED_THIRD = 1 / 2  # 1 / log2(3 + 1)


def ranks(*places, model="retrieval"):
    """Four shoppers, the third with two targets."""
    return pd.DataFrame(
        {
            "model": model,
            "user": ["a", "b", "c", "c", "d"],
            "item_id": ["i", "j", "i", "k", "l"],
            "history": [1, 1, 2, 2, 5],
            "train_events": [9, 4, 9, 0, 4],
            "rank": pd.array(places, dtype="Int64"),
        }
    )


def test_ranges_hold_enough_each_and_zero_stands_alone():
    values = np.array([0, 1, 1, 1, 2, 2, 3, 4, 7, 9, 9])
    assert bins_of(values, 3) == [Bin(0, 0), Bin(1, 1), Bin(2, 3), Bin(4, 9)]
    assert bins_of(values, 4) == [Bin(0, 0), Bin(1, 2), Bin(3, 9)]
    # One value is left, less than half a range: it joins the one before.
    assert bins_of(np.array([1, 1, 1, 2, 2, 2, 3]), 3) == [Bin(1, 1), Bin(2, 3)]
    assert bins_of(np.array([0, 5]), 3) == [Bin(0, 0), Bin(5, 5)]
    assert [label_of(one, last) for one in (Bin(2, 2), Bin(4, 9)) for last in (False, True)] == [
        "2",
        "2",
        "4-9",
        "4+",
    ]


def test_quality_is_a_mean_over_shoppers_and_seeds():
    first, second = ranks(1, 3, 1, None, 11), ranks(1, 1, 1, 2, None)
    # Of the first seed: 1, 0.5, half of two targets, 0; of the second: 1, 1, 1, 0.
    assert quality([first], "recall", 10).mean == pytest.approx((1 + 1 + 1 / 2) / 4)
    found = quality([first, second], "recall", 1)
    # With one place, a hit of two targets is half of the recall.
    assert found.mean == pytest.approx((1 + 1 / 2 + 1 / 2 + 0) / 4)
    assert found.shoppers == 4 and 0 < found.half < 1
    ideal = 1 + 1 / np.log2(3)
    assert quality([first], "ndcg", 10).mean == pytest.approx((1 + RANKED_THIRD + 1 / ideal) / 4)


def test_quality_by_shopper_and_by_item():
    table = ranks(1, 3, 1, None, 11)
    by_history = quality_by([table], "history", [Bin(1, 1), Bin(2, 5)], 10)
    assert [point.shoppers for point in by_history] == [2, 2]
    assert by_history[0].mean == pytest.approx((1 + RANKED_THIRD) / 2)
    by_item = quality_by([table], "train_events", [Bin(0, 0), Bin(4, 4), Bin(9, 9)], 10)
    # The third shopper's other target is not missed where only one of the two is looked at.
    assert [point.mean for point in by_item] == pytest.approx([0, RANKED_THIRD / 2, 1])
    assert [point.shoppers for point in by_item] == [1, 2, 2]


def test_targets_of_another_program():
    ours = ranks(1, 3, 1, None, 11)
    theirs = ranks(5, 4, 3, 2, 1)[["user", "item_id", "rank"]].sample(frac=1, random_state=0)
    joined = same_targets(theirs, ours)
    assert joined["rank"].tolist() == [5, 4, 3, 2, 1]
    assert joined["train_events"].tolist() == ours["train_events"].tolist()
    with pytest.raises(UserError, match="1 of 5 targets have no rank among the 4 given"):
        same_targets(theirs.iloc[1:], ours)
    with pytest.raises(UserError, match="0 of 4 targets have no rank among the 5 given"):
        same_targets(theirs, ours.iloc[1:])


def test_pictures_name_each_model_once():
    tables = {
        model: [ranks(1, 3, 1, None, 11, model=model)] * 2 for model in ("retrieval", "item_knn")
    }
    figure = draw_bins(tables, "history", "events", 10, "a shop")
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["retrieval", "ItemKNN"]
    ticks = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert ticks == ["1\n(2)", "2\n(1)", "5\n(1)"]
    curve = pd.DataFrame({"minutes": [0.1, 1.0], "ndcg": [0.2, 0.3]})
    seeds = [{"retrieval": curve, "ranking": curve}] * 2
    drawn = draw_time(seeds, {"SASRec": curve}, {"item_knn": (0.1, 0.05, 0.2)}, 10, "a shop")
    legend = [text.get_text() for text in drawn.axes[0].get_legend().get_texts()]
    assert legend == ["retrieval", "both stages", "SASRec", "ItemKNN"]
    assert len(drawn.axes[0].lines) == 6
    assert table_of(tables, 10).row_count == 2


def evaluated(recall, low, high, *, slice_recall=None):
    """A model of `tfrec evaluate --json`, as far as it is read."""
    whole = {"recall@10": recall, "recall@10_low": low, "recall@10_high": high}
    part = {} if slice_recall is None else {"recall@10": slice_recall, "recall@10_low": 0.0}
    part |= {} if slice_recall is None else {"recall@10_high": 0.2}
    return {**whole, "slices": {"history 1-2": part}}


def printed(table):
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()


def test_summary_has_intervals_over_shoppers_and_deviations_over_seeds():
    baseline = evaluated(0.1, 0.08, 0.12)
    found = [
        {"retrieval": evaluated(0.2, 0.17, 0.23, slice_recall=0.1), "item_knn": baseline},
        {"retrieval": evaluated(0.3, 0.25, 0.35, slice_recall=0.1), "item_knn": baseline},
    ]
    rows = benchmark.summarise(found, 10)
    assert list(rows) == ["all shoppers: recall@10", "history of 1-2: recall@10"]
    whole = rows["all shoppers: recall@10"]
    assert whole["retrieval"] == pytest.approx(
        {"mean": 0.25, "half": 0.04, "deviation": math.sqrt(0.005), "ratio": 2.5}
    )
    # A baseline has no seed, so its figures do not deviate.
    assert whole["item_knn"] == {
        "mean": 0.1,
        "half": pytest.approx(0.02),
        "deviation": None,
        "ratio": 1.0,
    }
    text = printed(benchmark.table_of(rows, "a shop", (42, 43), 10))
    assert "0.2500 ±0.0400 sd 0.0707 (2.50x)" in text
    assert "0.1000 ±0.0200 (1.00x)" in text
    assert "seeds 42, 43" in text


def test_costs_are_medians_over_seeds_and_the_most_memory():
    costs = [
        {"step": "train", "seconds": 60 * n, "processor_seconds": 90 * n, "peak_gib": 3 - n}
        for n in (1, 2)
    ]
    text = printed(benchmark.cost_table(costs, "a processor, 2 cores"))
    assert [cell.strip() for cell in text.splitlines()[4].strip("│").split("│")] == [
        "train",
        "1.5",
        "2.2",
        "2.0",
    ]
    assert "a processor, 2 cores" in text


def test_a_finished_step_is_not_run_again(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(
        benchmark.subprocess, "run", lambda command, check: commands.append(command)
    )
    record = tmp_path / "step.json"
    first = benchmark.step(record, "train", "retrieval")
    assert set(first) == {"seconds", "processor_seconds", "peak_gib"}
    assert benchmark.step(record, "train", "retrieval") == first
    assert [command[-2:] for command in commands] == [["train", "retrieval"]]


def test_machine(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some Processor 7\n")
    assert machine(tmp_path / "cpuinfo").startswith("Some Processor 7, ")
    assert machine(tmp_path / "none").endswith(" GiB")


def test_sources_of_a_finished_benchmark(tmp_path):
    with pytest.raises(UserError, match=r"let `benchmarks\.quality` finish there"):
        sources_of(tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps({"seeds": [7, 8]}))
    sources = sources_of(tmp_path)
    assert sources.runs == [tmp_path / "seed-7" / "run", tmp_path / "seed-8" / "run"]
    assert sources.ranks[1] == tmp_path / "seed-8" / "test-exclude.parquet"
    assert sources.validation == tmp_path / "seed-7" / "valid-exclude.json"


def test_figures_of_other_settings_are_not_taken_for_new_ones(tmp_path):
    path = tmp_path / "out" / "config.yaml"
    for _ in range(2):
        benchmark.write_once(path, "seed: 1\n")
    with pytest.raises(click.UsageError, match="give another folder with --out"):
        benchmark.write_once(path, "seed: 2\n")
    assert path.read_text() == "seed: 1\n"
