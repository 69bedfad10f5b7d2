"""The guardrails, on figures made by hand."""

import numpy as np
import pytest

from tfrec.config import UpdateConfig
from tfrec.updating.gate import Verdict, decide
from tfrec.updating.judging import Judged

CONFIG = UpdateConfig(least_cases=4, least_new_items=4)


def judged(ndcg, new_items=(), new_shoppers=(), coverage=0.5, calibration_error=0.01):
    return Judged(
        np.asarray(ndcg, float),
        np.asarray(new_items, float),
        np.asarray(new_shoppers, float),
        coverage,
        calibration_error,
    )


def verdict(before, after, latency=None, config=CONFIG):
    return decide(before, after, config, latency=latency, seed=0)


def outcomes(verdict):
    return {check.name: check.outcome for check in verdict.checks}


def test_equal_models_pass():
    same = judged([0.5] * 10)
    result = verdict(same, same)
    assert result.passed
    assert result.reason.endswith("NDCG@20, all shoppers 0.5000 -> 0.5000")


@pytest.mark.parametrize("after, passed", [(0.4951, True), (0.4949, False)])
def test_one_per_cent_may_be_lost_over_all(after, passed):
    result = verdict(judged([0.5] * 10), judged([after] * 10))
    assert result.passed is passed
    if not passed:
        assert "NDCG@20, all shoppers 0.5 -> 0.4949 (at most 1% lost)" in result.reason


def test_a_part_must_be_worse_for_certain():
    before = judged([0.5] * 10, new_items=[0.5] * 8)
    unsure = judged([0.5] * 10, new_items=[0.9, 0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0])
    certain = judged([0.5] * 10, new_items=[0.4] * 8)
    assert verdict(before, unsure).passed
    result = verdict(before, certain)
    assert outcomes(result)["NDCG@20, new items"] == "failed"
    assert not result.passed


def test_small_parts_are_not_judged():
    before = judged([0.5] * 10, new_shoppers=[0.5] * 3)
    result = verdict(before, judged([0.5] * 10, new_shoppers=[0.0] * 3))
    assert outcomes(result)["NDCG@20, new shoppers"] == "not judged"
    assert result.passed


def test_too_few_shoppers_keep_the_old_models():
    result = verdict(judged([0.5] * 3), judged([0.9] * 3))
    assert not result.passed
    assert result.reason == "too few shoppers (3) to judge the new models on the newest days"


@pytest.mark.parametrize("changes, name", [
    ({"coverage": 0.37}, "coverage"),
    ({"calibration_error": 0.031}, "calibration error"),
])  # fmt: skip
def test_coverage_and_calibration(changes, name):
    result = verdict(judged([0.5] * 10), judged([0.6] * 10, **changes))
    assert not result.passed
    assert [key for key, outcome in outcomes(result).items() if outcome == "failed"] == [name]


def test_latency():
    same = judged([0.5] * 10)
    assert verdict(same, same, latency=[4.0, 8.0]).passed
    assert not verdict(same, same, latency=[4.0, 8.1]).passed
    config = CONFIG.model_copy(update={"most_slower": None})
    assert verdict(same, same, latency=[4.0, 80.0], config=config).passed


def test_a_verdict_survives_json():
    result = verdict(judged([0.5] * 10), judged([0.4] * 10))
    assert Verdict.of_json(result.to_json()) == result
