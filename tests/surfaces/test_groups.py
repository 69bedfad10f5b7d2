import numpy as np

from tfrec.surfaces.groups import category_groups, groups_of_all, learned_groups


def test_a_group_is_the_broadest_category_that_says_something():
    # 1 is the root of all; 2 and 3 are branches, 4 to 6 leaves; item 8 has the root alone.
    values = np.array(
        [[0, 0, 0], [1, 2, 4], [1, 2, 5], [1, 3, 6], [1, 3, 6], [1, 3, 0], [2, 0, 0], [5, 0, 0]]
        + [[1, 0, 0]] * 5
    )
    found = category_groups(values)
    assert found[0] == 0
    assert found[1] == found[2] == found[6]
    assert found[3] == found[4] == found[5] != found[1]
    assert found[7] not in (0, found[1], found[3])
    assert (found[8:] == 0).all()
    assert set(found.tolist()) == {0, 1, 2, 3}


def test_groups_count_from_one_where_every_item_has_one():
    values = np.concatenate([[[0]], np.arange(1, 9)[:, np.newaxis]])
    assert category_groups(values).tolist() == list(range(9))


def test_learned_groups_are_the_clouds_of_the_vectors():
    random = np.random.default_rng(0)
    centres = np.eye(5)[:3]
    truth = random.integers(0, 3, 60)
    vectors = centres[truth] + random.normal(0, 0.05, (60, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = learned_groups(vectors.astype(np.float32), 3, seed=1)
    assert found[0] == 0 and set(found[1:].tolist()) == {1, 2, 3}
    for group in (1, 2, 3):
        assert len(set(truth[found[1:] == group].tolist())) == 1
    assert learned_groups(vectors[:2], 80, seed=1).max() <= 2


def test_what_has_no_group_has_that_of_the_nearest_item():
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.9, 0.1]], np.float32)
    assert groups_of_all(np.array([0, 5, 2], np.int32), vectors).tolist() == [0, 5, 2, 2, 5]
    assert groups_of_all(np.array([0, 5, 0], np.int32), vectors).tolist() == [0, 5, 5, 5, 5]
    assert groups_of_all(np.zeros(5, np.int32), vectors).tolist() == [0] * 5
