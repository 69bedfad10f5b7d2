import numpy as np
import pytest

from tfrec.surfaces.noisy_queries import KINDS, queries_of, typo

TITLES = ["red cotton dress", "DRESS red cotton", "blue metal lamp shade", "mug", "红色连衣裙", ""]


def test_every_usable_title_makes_a_query_of_each_kind():
    made = queries_of(TITLES, range(len(TITLES)), seed=3)
    # The first two are the same words, a single word cannot be told, and the last is empty.
    assert [(query.item, query.kind) for query in made] == [
        (item, kind) for item in (2, 4) for kind in KINDS
    ]
    assert made == queries_of(TITLES, range(len(TITLES)), seed=3)
    assert made != queries_of(TITLES, range(len(TITLES)), seed=4)


def test_kinds_do_what_they_say():
    by_kind = {query.kind: query.text for query in queries_of(TITLES, [2], seed=3)}
    words = set(TITLES[2].split())
    dropped = by_kind["words dropped"].split()
    assert len(dropped) == 3 and set(dropped) < words
    assert set(by_kind["words swapped"].split()) == words
    misspelt = by_kind["words misspelt"].split()
    assert sum(word not in words for word in misspelt) == 1
    assert len(by_kind["all of these"].split()) == 3


def test_titles_without_spaces_lose_and_swap_parts():
    by_kind = {query.kind: query.text for query in queries_of(TITLES, [4], seed=3)}
    assert by_kind["words dropped"] == "红色连衣"
    assert by_kind["words swapped"] == "连衣裙红色"


@pytest.mark.parametrize("seed", range(20))
def test_a_typo_touches_one_place(seed):
    word = typo("cotton", np.random.default_rng(seed))
    assert abs(len(word) - 6) <= 1
    same_ends = max(
        len(word[:left]) + len(word[len(word) - right :])
        for left in range(len(word) + 1)
        for right in range(len(word) - left + 1)
        if "cotton".startswith(word[:left]) and "cotton".endswith(word[len(word) - right :])
    )
    assert same_ends >= 4
    assert typo("a", np.random.default_rng(seed)) == "a"
