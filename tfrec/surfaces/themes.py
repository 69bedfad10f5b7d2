"""Themes of a catalogue, made of words in its titles: what a campaign may be about."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

FEWEST, MOST = 5, 0.05
"""Products of a theme: at least so many, and at most this share of the catalogue."""
ALIKE = 0.5
"""Share of common products (of all that either has) above which two themes are the same."""
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True)
class Theme:
    """A text and the products that it advertises.

    Attributes:
        text: a word of their titles, or two.
        items: int64, item indices, sorted.
    """

    text: str
    items: np.ndarray


def themes_of(titles: Sequence[str], count: int, *, seed: int) -> list[Theme]:
    """Returns themes drawn at random: words, and pairs of neighbours, that several titles have.

    Args:
        titles: of all items, in the order of their indices.
        count: how many at most.
        seed: seed of the draw.
    """
    having: dict[str, set[int]] = defaultdict(set)
    for item, title in enumerate(titles, start=1):
        words = _WORD.findall(title.lower())
        for text in [*words, *(" ".join(pair) for pair in pairwise(words))]:
            having[text].add(item)
    texts = sorted(
        text for text, items in having.items() if FEWEST <= len(items) <= MOST * len(titles)
    )
    chosen: list[str] = []
    for place in np.random.default_rng(seed).permutation(len(texts)):
        items = having[texts[place]]
        if all(_likeness(items, having[other]) < ALIKE for other in chosen):
            chosen.append(texts[place])
        if len(chosen) == count:
            break
    return [Theme(text, np.array(sorted(having[text]), np.int64)) for text in chosen]


def _likeness(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other)
