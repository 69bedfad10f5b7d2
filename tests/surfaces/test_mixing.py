import numpy as np
import pytest
import scipy.optimize

from tfrec.surfaces.mixing import Scored, most_likely_weights


def requests(seed=0, count=400, size=9):
    """One part that knows the target, one that is noise, and a popular item as shared score."""
    random = np.random.default_rng(seed)
    good, noise = random.normal(size=(2, count, size)).astype(np.float32)
    shared = random.normal(size=(size, 1)).astype(np.float32)
    logits = 2.0 * good + 0.5 * shared[:, 0]
    logits[:, 0] = -np.inf
    target = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    hidden = np.zeros(good.shape, bool)
    hidden[:, 0] = True
    return Scored([good, noise], shared, target, hidden)


def test_weights_that_made_the_data_are_found_again():
    weights = most_likely_weights(requests(count=4000), "fit")
    np.testing.assert_allclose(weights, [2.0, 0.0, 0.5], atol=0.12)


def test_the_gradient_is_that_of_the_loss():
    scored = requests(count=20)
    for weights in ([1.0, 1.0, 0.0], [0.3, 0.7, -0.4]):
        error = scipy.optimize.check_grad(
            lambda w: scored.loss(w)[0], lambda w: scored.loss(w)[1], np.array(weights),
            epsilon=1e-3,
        )  # fmt: skip
        assert error < 2e-3


def test_hidden_items_take_no_part():
    scored = requests(count=5)
    loss, _ = scored.loss(np.zeros(3))
    # Equal scores: nine items less the hidden one.
    assert loss == pytest.approx(np.log(8), rel=1e-5)
