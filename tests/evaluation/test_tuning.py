import numpy as np
import pytest

from tests.evaluation.small_shop import make_shop
from tfrec.config import EvaluationConfig
from tfrec.errors import UserError
from tfrec.evaluation import ItemKNN, evaluate, tuned_baselines
from tfrec.evaluation.tuning import coordinate_search, tuning_cases


def test_search_climbs_one_setting_at_a_time_and_measures_none_twice():
    measured = []

    def measure(settings):
        measured.append(dict(settings))
        return -((settings["a"] - 3) ** 2) - (settings["b"] + 1) ** 2

    best = coordinate_search(
        measure, {"a": 0, "b": 0, "fixed": "x"}, {"a": [0, 1, 3, 5], "b": [0, -1, -2]}
    )
    assert best == {"a": 3, "b": -1, "fixed": "x"}
    assert len(measured) == len({tuple(s.values()) for s in measured})


def test_search_keeps_the_start_where_nothing_is_better():
    assert coordinate_search(lambda s: 0.0, {"a": 1}, {"a": [5, 1, 2]}) == {"a": 1}


def test_a_second_pass_finds_what_the_first_made_possible():
    # b helps only when a is 1, and a = 1 helps only once b was tried: "a" comes first.
    figure = {(0, 0): 0, (1, 0): -1, (0, 1): 1, (1, 1): 2}
    best = coordinate_search(
        lambda s: figure[s["a"], s["b"]], {"a": 0, "b": 0}, {"a": [0, 1], "b": [0, 1]}
    )
    assert best == {"a": 1, "b": 1}


def repeat_shop():
    """Shoppers buy again what they bought, though a few items go together with everything."""
    generator = np.random.default_rng(0)
    share = np.where(np.arange(30) < 6, 1.0, 0.15)
    pasts = [
        generator.choice(np.arange(1, 31), 8, replace=False, p=share / share.sum()).tolist()
        for _ in range(80)
    ]
    targets = [[*past[:3], int(generator.integers(1, 31))] for past in pasts]
    return make_shop(30, pasts, pasts, targets, split="valid")


def test_tuned_item_knn_is_no_worse_than_the_default_on_validation():
    shop, config = repeat_shop(), EvaluationConfig(repeats="count", bootstrap_samples=5)
    scorers = {scorer.name: scorer for scorer in tuned_baselines(shop, config)}
    assert list(scorers) == ["popularity", "item_knn"]
    tuned = evaluate(scorers["item_knn"], shop, "valid", config).metrics["ndcg@20"]
    default = evaluate(ItemKNN.fit(shop), shop, "valid", config).metrics["ndcg@20"]
    assert tuned > default
    assert scorers["item_knn"].settings.self_weight > 1


def test_self_weight_is_left_alone_where_repeats_are_excluded():
    shop, config = repeat_shop(), EvaluationConfig(repeats="exclude", bootstrap_samples=5)
    scorers = tuned_baselines(shop, config, np.eye(30, dtype=np.float32))
    assert [scorer.name for scorer in scorers] == ["popularity", "item_knn", "text_knn"]
    assert scorers[1].settings.self_weight == 1


def test_many_validation_shoppers_are_thinned_reproducibly(monkeypatch):
    monkeypatch.setattr("tfrec.evaluation.tuning.TUNING_SHOPPERS", 10)
    shop, config = repeat_shop(), EvaluationConfig(repeats="count")
    cases = tuning_cases(shop, config, seed=1)
    assert len(cases) == 10
    assert cases.indices.tolist() == tuning_cases(shop, config, seed=1).indices.tolist()
    assert cases.indices.tolist() != tuning_cases(shop, config, seed=2).indices.tolist()


def test_without_validation_targets_the_error_is_clear():
    shop = make_shop(3, [[1]], [[1]], [[1]], split="valid")
    with pytest.raises(UserError, match="`valid` has no shopper"):
        tuned_baselines(shop, EvaluationConfig(repeats="exclude"))
