"""Recorded figures beside those of a version that was built again."""

import dataclasses

from tfrec.updating.comparing import differences, figures_of_metrics, figures_of_verdicts
from tfrec.updating.gate import Check, Verdict

OVERALL = Check("NDCG@20, all shoppers", 0.30, 0.31, -0.01, 0.03, "", "passed", 100)
COVERAGE = Check("coverage", 0.50, 0.40, None, None, "", "passed", 100)
TIME = Check("milliseconds an answer", 5.0, 6.0, None, None, "", "passed", 1)
UNJUDGED = Check("NDCG@20, new items", None, None, None, None, "", "not judged", 3)


def verdict(*checks):
    return Verdict(True, "", list(checks))


def test_noise_is_half_the_interval_where_there_is_one():
    again = dataclasses.replace(OVERALL, challenger=0.325)
    new, old = figures_of_verdicts(verdict(OVERALL), verdict(again))
    assert (new.recorded, new.rebuilt, round(new.noise, 6)) == (0.31, 0.325, 0.02)
    assert new.is_same and old.is_same
    other = dataclasses.replace(OVERALL, challenger=0.3301)
    assert not figures_of_verdicts(verdict(OVERALL), verdict(other))[0].is_same


def test_other_figures_may_differ_by_a_share():
    near, far = (dataclasses.replace(COVERAGE, challenger=value) for value in (0.419, 0.421))
    assert figures_of_verdicts(verdict(COVERAGE), verdict(near))[0].is_same
    assert not figures_of_verdicts(verdict(COVERAGE), verdict(far))[0].is_same


def test_the_old_models_were_not_trained_again_and_must_be_the_same():
    moved = dataclasses.replace(OVERALL, champion=0.302)
    figures = figures_of_verdicts(verdict(OVERALL), verdict(moved))
    assert [figure.is_same for figure in figures] == [True, False]
    assert figures[1].name == "NDCG@20, all shoppers, old models"


def test_times_and_what_was_not_judged_are_left_out():
    assert figures_of_verdicts(verdict(TIME, UNJUDGED), verdict(TIME, UNJUDGED)) == []


def test_what_is_not_measured_any_more_differs():
    figures = figures_of_metrics({"a": 0.2, "b": 0.1}, {"a": 0.203})
    assert [figure.is_same for figure in figures] == [True, False]
    assert differences(figures) == ["b was 0.1000 and is not measured (noise 0.0050)"]


def test_what_is_picked_from_a_few_values_is_left_out():
    assert figures_of_metrics({"new_item_factor": 1.5}, {"new_item_factor": 1.6}) == []
