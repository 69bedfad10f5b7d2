"""A ranking model that was read from a run scales features as the one that was trained."""

import numpy as np
import pytest

from tests.export.shop import FACTOR, make_run, typical_features
from tfrec.training.loading import TrainedRun


@pytest.fixture(scope="module")
def ranker(tmp_path_factory):
    return TrainedRun.open(make_run(tmp_path_factory.mktemp("shop"))).ranker


def test_features_are_scaled_as_in_training(ranker):
    scaled = ranker.model.normalise(typical_features(len(ranker.features.names))).numpy()
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, atol=1e-3)


def test_what_new_items_are_worth_is_read_back(ranker):
    assert float(ranker.model.new_item_factor) == FACTOR
