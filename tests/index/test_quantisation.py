"""Eight bits a number: by hand, and where it matters for products."""

import numpy as np

from tfrec.index.quantisation import LEVELS, quantise


def test_rounding_worked_by_hand():
    codes, scales = quantise(np.float32([[0.5, -0.25, 0.1], [0, 0, 0], [-2.0, 2.0, 0.007]]))
    assert codes.dtype == np.int8 and scales.dtype == np.float32
    # 0.5 / 127 a step: -0.25 is half way between 63 and 64, 0.1 is 25.4 steps.
    assert codes.tolist() == [[127, -64, 25], [0, 0, 0], [-127, 127, 0]]
    np.testing.assert_allclose(scales[:, 0], [0.5 / 127, 0, 2 / 127], rtol=1e-6)


def test_errors_make_up_for_each_other_along_the_queries():
    """All queries point along (1, 1): what the first number lacks, the second gets."""
    rows = np.float32([[1.0, 0.4 / 127, 0.4 / 127], [1.0, 10.4 / 127, 20.4 / 127]])
    plain, _ = quantise(rows)
    assert plain.tolist() == [[127, 0, 0], [127, 10, 20]]
    codes, _ = quantise(rows, np.float32([[0, 1, 1], [0, 2, 2]]))
    # An error of .4 below in the first wants about .4 more in the second, which is nearer to 1.
    assert codes.tolist() == [[127, 0, 1], [127, 10, 21]]


def test_products_with_the_queries_are_nearer_and_rows_still_near():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(300, 16)).astype(np.float32)
    vectors[7] = 0.0
    queries = (random.normal(size=16) * 2 + random.normal(size=(50, 16))).astype(np.float32)

    def errors(*given):
        codes, scales = quantise(vectors, *given)
        assert np.abs(codes.astype(int)).max() == LEVELS
        assert not codes[7].any()
        found = codes * scales
        assert np.abs(found - vectors).max() < 3 * scales.max()
        return np.abs((found - vectors) @ queries.T).mean()

    assert errors(queries) < 0.75 * errors()
    assert errors(queries[:0]) == errors(), "without queries every number is rounded alone"
