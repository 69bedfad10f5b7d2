"""Groups of like items, named by the words that set them apart."""

import re
from collections import Counter
from itertools import chain

import numpy as np
from scipy.cluster.vq import kmeans2

MOST_TOPICS = 24
WORDS = 3
_WORD = re.compile(r"[^\W\d_]{3,}")


def find_topics(
    vectors: np.ndarray, titles: list[str], *, seed: int = 0
) -> tuple[np.ndarray, list[str]]:
    """Groups items by k-means over their vectors.

    The number of groups grows with the root of the number of items, so that each has enough items
    for a share that means something.

    Args:
        vectors: float `[items, dimension]`.
        titles: names of the items.
        seed: of the starting points.

    Returns:
        int `[items]`, the topic of every item, and the topics' names.
    """
    count = int(np.clip(np.sqrt(len(vectors)) / 2, 1, min(MOST_TOPICS, len(vectors))))
    _, topic = kmeans2(vectors.astype(np.float64), count, minit="++", rng=seed)
    used, topic = np.unique(topic, return_inverse=True)
    words = [set(_WORD.findall(title.lower())) for title in titles]
    everywhere = Counter(chain.from_iterable(words))
    names = [
        _name([words[item] for item in np.flatnonzero(topic == number)], everywhere, len(titles))
        for number in range(len(used))
    ]
    return topic, [
        f"{number + 1} ({name})" if name else f"{number + 1}" for number, name in enumerate(names)
    ]


def _name(words: list[set[str]], everywhere: Counter[str], items: int) -> str:
    """Returns the words whose share of the group's titles exceeds that of all titles the most."""
    inside = Counter(chain.from_iterable(words))
    excess = {word: count / len(words) - everywhere[word] / items for word, count in inside.items()}
    best = sorted(excess, key=lambda word: (-excess[word], word))[:WORDS]
    return ", ".join(word for word in best if excess[word] > 0)
