import numpy as np
import pytest

from tfrec.profiles.clusters import best_clusters, distinctive_names, k_means, silhouette


def planted(count=30, dimension=6, seed=0):
    """Three bundles of unit vectors around the first three axes."""
    random = np.random.default_rng(seed)
    vectors = np.repeat(np.eye(dimension)[:3], count, axis=0)
    vectors = vectors + random.normal(0, 0.05, vectors.shape)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_bundles_are_found_and_so_is_their_number():
    vectors = planted()
    centres, scores = best_clusters(vectors, range(2, 7), seed=1)
    assert max(scores, key=scores.get) == 3 and len(centres) == 3
    nearest = (vectors @ centres.T).argmax(axis=1).reshape(3, -1)
    assert (nearest == nearest[:, :1]).all() and len(set(nearest[:, 0])) == 3
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1.0)


def test_the_seed_decides():
    vectors = planted()
    assert (k_means(vectors, 4, 3) == k_means(vectors, 4, 3)).all()


def test_silhouette_by_hand():
    centres = np.eye(2)
    vectors = np.array([[1.0, 0.0], [0.6, 0.8]])
    # Distances 0 and 1; .2 to the second and .4 to the first.
    assert silhouette(vectors, centres) == pytest.approx((1 + (0.4 - 0.2) / 0.4) / 2)


def test_few_vectors_are_one_cluster():
    centres, scores = best_clusters(np.array([[0.6, 0.8], [0.6, 0.8], [0.6, 0.8]]), [2, 3], 0)
    np.testing.assert_allclose(centres, [[0.6, 0.8]])
    assert scores == {}
    assert k_means(np.array([[1.0, 0.0]] * 5), 3, 0).shape == (3, 2)


def test_names_are_what_a_cluster_has_more_of():
    counts = np.array([[10.0, 0, 90, 0], [10, 50, 0, 0], [10, 50, 5, 0]])
    names = ["lamp", "red", "heart", "never"]
    assert distinctive_names(counts, names, words=1) == ["heart", "red", "red, lamp"]
    assert distinctive_names(np.zeros((2, 1)), [""]) == ["others", "others 2"]


def test_a_name_is_not_said_twice_in_two_forms():
    counts = np.array([[50.0, 40, 10, 0], [0, 0, 0, 100]])
    assert distinctive_names(counts, ["heart", "hearts", "mug", "lamp"])[0] == "heart, mug"
