import numpy as np
import pytest

from tests.evaluation.small_shop import FixedScorer, make_shop
from tfrec.config import EvaluationConfig
from tfrec.evaluation import Cases, Report, evaluate
from tfrec.evaluation.rank_table import rank_table

CONFIG = EvaluationConfig(cutoffs=[1], bootstrap_samples=10)
ITEMS = np.array(["apple", "bread", "cheese", "dates"])


@pytest.fixture
def shop():
    return make_shop(4, [[1, 2, 2]], [[1], [2, 3]], [[3, 2], [4]])


def test_a_row_for_each_model_and_target(shop):
    never = -np.inf
    scorers = [FixedScorer([0, 1, 2, 3, 4], "all"), FixedScorer([0, 9, 8, 7, never], "no 4")]
    report = Report([evaluate(scorer, shop, "test", CONFIG) for scorer in scorers])
    table = rank_table(report, Cases.of(shop, "test", CONFIG), ITEMS)
    assert table["model"].tolist() == ["all"] * 3 + ["no 4"] * 3
    assert table["user"].tolist() == ["u0", "u0", "u1"] * 2
    assert table["item_id"].tolist() == ["bread", "cheese", "dates"] * 2
    assert table["history"].tolist() == [1, 1, 2] * 2
    assert table["train_events"].tolist() == [2, 0, 0] * 2
    # What was bought is masked: u0 is left 4, 3, 2 and u1 is left 4, 1; then 2, 3 and 1.
    assert table["rank"].tolist()[:5] == [3, 2, 1, 1, 2]
    assert table["rank"].isna().tolist() == [False] * 5 + [True]


def test_results_of_other_shoppers(shop):
    report = Report([evaluate(FixedScorer([0, 1, 2, 3, 4]), shop, "test", CONFIG)])
    with pytest.raises(ValueError, match="should be those of the results"):
        rank_table(report, Cases.of(shop, "test", CONFIG).select(np.array([0])), ITEMS)
