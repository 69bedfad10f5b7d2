import numpy as np

from tfrec.surfaces.themes import FEWEST, themes_of

TITLES = [f"red lunch bag no {i}" for i in range(6)] + [f"vintage clock {i}" for i in range(5)]
TITLES += [f"thing {chr(97 + i)}xx" for i in range(200)]


def test_themes_are_words_that_several_titles_have():
    found = {theme.text: theme.items.tolist() for theme in themes_of(TITLES, 50, seed=0)}
    lunch = {"red", "lunch", "bag", "red lunch", "lunch bag"}
    # Of texts with the same products there is one.
    assert len(lunch & set(found)) == 1
    assert len({"vintage", "clock", "vintage clock"} & set(found)) == 1
    assert found[(lunch & set(found)).pop()] == [1, 2, 3, 4, 5, 6]
    # What nearly all titles have, or too few, is none.
    assert "thing" not in found and "axx" not in found
    assert all(len(items) >= FEWEST for items in found.values())


def test_the_draw_is_the_same_for_a_seed_and_no_longer_than_wanted():
    one, other = (themes_of(TITLES, 1, seed=3) for _ in range(2))
    assert [theme.text for theme in one] == [theme.text for theme in other]
    assert len(one) == 1
    np.testing.assert_array_equal(one[0].items, other[0].items)
    assert themes_of(["a", "b"], 5, seed=0) == []
