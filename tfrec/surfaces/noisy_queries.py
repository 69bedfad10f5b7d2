"""Queries as people type them, made from the titles of items."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MISSPELT_SHARE = 0.34
Change = Callable[[str, np.random.Generator], str]
KEYS = {
    row[place]: row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
    for place in range(len(row))
}


@dataclass(frozen=True)
class Query:
    """A query and the item that it means.

    Attributes:
        text: what is typed.
        item: row of the item.
        kind: what was done to its title.
    """

    text: str
    item: int
    kind: str


def queries_of(
    titles: Sequence[str],
    rows: Sequence[int],
    *,
    seed: int,
    kinds: Mapping[str, Change] | None = None,
) -> list[Query]:
    """Returns a query of each kind for each of some items.

    Args:
        titles: titles of all items.
        rows: the rows of the items that queries are made for; those without two words, or whose
            words another item has just so, are passed over, as nobody could tell what is meant.
        seed: seed of everything random.
        kinds: what to do to titles; None for `KINDS`.
    """
    random = np.random.default_rng(seed)
    bags = [" ".join(sorted(title.lower().split())) for title in titles]
    owners: dict[str, int] = {}
    for bag in bags:
        owners[bag] = owners.get(bag, 0) + 1
    made = []
    for row in rows:
        words = titles[row].split()
        if owners[bags[row]] > 1 or (len(words) < 2 and titles[row].isascii()):
            continue
        for kind, change in (kinds or KINDS).items():
            text = change(titles[row], random)
            if text.strip():
                made.append(Query(text, row, kind))
    return made


def without_words(title: str, random: np.random.Generator) -> str:
    """Leaves out a third of the words; of a title without spaces, a third of its end."""
    words = title.split()
    if len(words) < 2:
        return title[: max(2, len(title) - len(title) // 3)]
    kept = max(1, len(words) - max(1, len(words) // 3))
    return " ".join(words[place] for place in np.sort(random.permutation(len(words))[:kept]))


def other_order(title: str, random: np.random.Generator) -> str:
    """Puts the words in another order; of a title without spaces, its two halves."""
    words = title.split()
    if len(words) < 2:
        return title[len(title) // 2 :] + title[: len(title) // 2]
    return " ".join(words[place] for place in random.permutation(len(words)))


def misspelt(title: str, random: np.random.Generator) -> str:
    """Makes a typo in a third of the words, and in one at least."""
    words = title.lower().split()
    count = max(1, round(MISSPELT_SHARE * len(words)))
    # Long words first: nobody can be sure what a typo in "of" was meant to be.
    order = sorted(random.permutation(len(words)), key=lambda place: -min(len(words[place]), 4))
    for place in order[:count]:
        words[place] = typo(words[place], random)
    return " ".join(words)


def all_misspelt(title: str, random: np.random.Generator) -> str:
    """Makes a typo in every word."""
    return " ".join(typo(word, random) for word in title.lower().split())


def everything(title: str, random: np.random.Generator) -> str:
    """Leaves out words, misspells others, in another order."""
    return misspelt(other_order(without_words(title, random), random), random)


def typo(word: str, random: np.random.Generator) -> str:
    """Swaps, drops, doubles or mistypes one letter."""
    if len(word) < 2:
        return word
    place = int(random.integers(len(word) - 1))
    kind = int(random.integers(4))
    if kind == 0:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if kind == 1:
        return word[:place] + word[place + 1 :]
    if kind == 2:
        return word[:place] + word[place] + word[place:]
    near = KEYS.get(word[place], "") or "e"
    return word[:place] + near[int(random.integers(len(near)))] + word[place + 1 :]


KINDS: dict[str, Change] = {
    "words dropped": without_words,
    "words swapped": other_order,
    "words misspelt": misspelt,
    "all of these": everything,
}
