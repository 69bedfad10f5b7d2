"""The baselines against figures measured independently on a public benchmark."""

import pytest

from tfrec.config import DataConfig, EvaluationConfig
from tfrec.data.prepare import prepare_dataset
from tfrec.evaluation import Cases, ItemKNN, Popularity, evaluate
from tfrec.evaluation.baselines.item_knn import ItemKNNSettings

CONFIG = EvaluationConfig(cutoffs=[10], bootstrap_samples=200)


@pytest.fixture(scope="module")
def scientific(shared_data, tmp_path_factory):
    folder = shared_data / "amazon_scientific"
    return prepare_dataset(
        folder / "events.parquet",
        folder / "items.parquet",
        tmp_path_factory.mktemp("scientific") / "data",
        DataConfig(split="leave_one_out", duplicates="keep"),
    )


def test_popularity_and_item_knn_on_amazon_scientific(scientific):
    cases = Cases.of(scientific, "test", CONFIG)
    popularity = evaluate(Popularity.fit(scientific), scientific, "test", CONFIG, cases=cases)
    assert popularity.metrics["recall@10"] == pytest.approx(0.0316, rel=0.03)
    assert popularity.metrics["ndcg@10"] == pytest.approx(0.0180, rel=0.03)
    # The settings that the validation split chooses.
    settings = ItemKNNSettings(shrinkage=50.0, length_exponent=0.5, decay=0.9)
    item_knn = evaluate(ItemKNN.fit(scientific, settings), scientific, "test", CONFIG, cases=cases)
    assert item_knn.metrics["recall@10"] >= 0.1135
    assert item_knn.metrics["ndcg@10"] >= 0.0840
    low, high = item_knn.intervals["recall@10"]
    # Binomial: sqrt(.128 x .872 / 8400) = .0036.
    assert high - low == pytest.approx(2 * 1.96 * 0.0036, rel=0.2)
    assert item_knn.minus(popularity)["ndcg@10"].significant
