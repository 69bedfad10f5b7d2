import numpy as np

from tfrec.surfaces.logistic import fit_logistic, probabilities


def test_the_weights_of_a_known_model_come_back():
    random = np.random.default_rng(0)
    features = np.stack(
        [np.ones(40_000), random.normal(3.0, 5.0, 40_000), random.normal(0.0, 0.1, 40_000)], axis=1
    )
    truth = np.array([-2.0, 0.4, 8.0])
    labels = random.random(40_000) < 1 / (1 + np.exp(-(features @ truth)))
    np.testing.assert_allclose(fit_logistic(features, labels), truth, rtol=0.08)


def test_the_mean_probability_is_the_rate():
    random = np.random.default_rng(1)
    features = np.stack([np.ones(2000), random.normal(size=2000)], axis=1)
    labels = random.random(2000) < 0.05
    chances = 1 / (1 + np.exp(-(features @ fit_logistic(features, labels))))
    np.testing.assert_allclose(chances.mean(), labels.mean(), rtol=1e-3)


def test_probabilities_are_those_of_the_logistic_function():
    features = np.array([[[1.0, 0.0], [1.0, 2.0]]], np.float32)
    found = probabilities(features, np.array([0.0, np.log(3.0) / 2.0]))
    np.testing.assert_allclose(found, [[0.5, 0.75]], rtol=1e-6)
