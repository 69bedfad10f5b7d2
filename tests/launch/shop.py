"""A shop whose launches follow a rule: bags sell well, rings sell badly."""

import numpy as np
import pandas as pd

KINDS = {"bag": 24, "mug": 12, "ring": 3}
"""Customers of the first 30 days."""

COLOURS = ["red", "blue", "green", "white", "black", "pink", "grey", "gold"]
START = pd.Timestamp("2024-01-01")
SHOPPERS = 80


def items() -> pd.DataFrame:
    rows = []
    for number in range(90):
        kind = list(KINDS)[number % 3]
        title = f"{COLOURS[number % 8]} {kind} {COLOURS[number % 7]}"
        rows.append((f"{1000 + number}", title, 2.0 + number % 3))
    return pd.DataFrame(rows, columns=["item_id", "title", "price"])


def events(catalogue: pd.DataFrame) -> pd.DataFrame:
    """Thirty products sold all the time, and one more every third day after a month.

    Shoppers of an even number buy bags, the others mugs and rings.
    """
    generator = np.random.default_rng(0)
    rows = []
    for number, item_id in enumerate(catalogue["item_id"]):
        kind = list(KINDS)[number % 3]
        first = 0 if number < 30 else 35 + 3 * (number - 30)
        wanted = KINDS[kind] + int(generator.integers(0, 3))
        own = [user for user in range(SHOPPERS) if (user % 2 == 0) == (kind == "bag")]
        for month in range(8 if first == 0 else 1):
            for user in generator.choice(own, size=wanted, replace=False):
                day = first + 30 * month + int(generator.integers(0, 28))
                rows.append((f"u{user}", item_id, START + pd.Timedelta(days=day), "purchase", 2))
        # The first day of a launch is certain.
        rows.append((f"u{own[1]}", item_id, START + pd.Timedelta(days=first), "purchase", 2))
    columns = ["user_id", "item_id", "timestamp", "event", "quantity"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates()


def word_vectors(texts: list[str]) -> np.ndarray:
    """Returns counts of the shop's words as vectors, in place of BERT's."""
    words = [*KINDS, *COLOURS]
    weight = np.array([3.0] * len(KINDS) + [0.3] * len(COLOURS))
    counts = np.array([[text.split().count(word) for word in words] for text in texts], float)
    vectors = counts * weight + 0.1
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
