"""A small logistic regression whose weights fit into a graph."""

import numpy as np
import scipy.optimize

PENALTY = 1e-4


def fit_logistic(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the weights that make the labels most likely, with a small ridge penalty.

    The features are standardised for the fit, and the weights are those of the plain ones.

    Args:
        features: float `[rows, count]`; the first column is 1 everywhere, the bias.
        labels: bool `[rows]`.

    Returns:
        float32 `[count]`.
    """
    features = features.astype(np.float64)
    target = labels.astype(np.float64)
    mean = features.mean(axis=0)
    scale = np.maximum(features.std(axis=0), 1e-6)
    mean[0], scale[0] = 0.0, 1.0
    standard = (features - mean) / scale

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        logits = standard @ values
        error = 1.0 / (1.0 + np.exp(-logits)) - target
        total = np.logaddexp(0.0, logits) - target * logits
        plain = np.append(0.0, values[1:])
        value = float(total.mean()) + PENALTY * float(plain @ plain)
        return value, standard.T @ error / len(target) + 2.0 * PENALTY * plain

    start = np.zeros(features.shape[1])
    found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x / scale
    found[0] -= float(mean[1:] @ found[1:])
    return found.astype(np.float32)


def probabilities(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the probabilities of rows that are described so, float64 `[...]`.

    Args:
        features: float `[..., count]`.
        weights: float `[count]`, as `fit_logistic` returns them.
    """
    return 1.0 / (1.0 + np.exp(-(features.astype(np.float64) @ weights)))
