import numpy as np
import pytest

from tfrec.launch.model import LaunchModel, in_blocks


def planted(count, seed):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, 4))
    counts = np.expm1(2.5 + features[:, 0] + 0.3 * generator.normal(size=count)).clip(0)
    return features, counts


def test_what_is_planted_is_found_and_intervals_hold_their_share():
    features, counts = planted(600, 1)
    model = LaunchModel(0.8, seed=0).fit(features, counts, np.arange(600))
    asked, truth = planted(400, 2)
    forecast = model.predict(asked)
    assert np.corrcoef(np.log1p(forecast.median), np.log1p(truth))[0, 1] > 0.85
    inside = (truth >= forecast.low) & (truth <= forecast.high)
    assert 0.72 < inside.mean() < 0.88
    assert (forecast.low <= forecast.median).all() and (forecast.median <= forecast.high).all()


def test_a_wider_interval_is_wider():
    features, counts = planted(300, 1)
    asked, _ = planted(10, 2)
    narrow, wide = (
        LaunchModel(share).fit(features, counts, np.arange(300)).predict(asked)
        for share in (0.6, 0.9)
    )
    assert (wide.high > narrow.high).all() and (wide.low <= narrow.low).all()


def test_missing_features_are_allowed():
    features, counts = planted(100, 1)
    features[::3, 1] = np.nan
    forecast = LaunchModel().fit(features, counts, np.arange(100)).predict(features[:6])
    assert np.isfinite(forecast.median).all()


def test_a_stretch_of_time_is_not_known_when_it_is_forecast():
    days = np.arange(120)
    seen = []

    def watch(features, target, asked):
        seen.append((set(target), set(asked[:, 0])))
        return np.zeros(len(asked)), np.ones(len(asked))

    middle, _ = in_blocks(watch, days[:, None], days, days, blocks=3)
    assert np.isfinite(middle).all()
    assert [len(asked) for _, asked in seen] == [40, 40, 40]
    assert all(not known & asked and len(known) == 80 for known, asked in seen)


def test_too_few_launches_are_refused():
    with pytest.raises(ValueError, match=r"at least 40 launches\. Received: 3"):
        LaunchModel().fit(np.zeros((3, 1)), np.ones(3), np.arange(3))
