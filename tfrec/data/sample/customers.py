"""Picks customers of different kinds out of an event log, by rules that look at their past only."""

import re
from collections import Counter
from dataclasses import dataclass

import pandas as pd

FEW_ORDERS = (2, 3)
FEWEST_PRODUCTS_OF_A_TASTE = 12
COMMON_WORD = 0.05
"""A word in more than this share of the catalogue's titles says nothing of a taste."""

_WORD = re.compile(r"[^\W\d_]{4,}")


@dataclass(frozen=True)
class Customer:
    """A customer as he stood at one moment.

    Attributes:
        kind: what sort of customer this is, such as ``"a big regular buyer"``.
        why: the figures behind that.
        buys_again: whether what he had before belongs in his recommendations.
        country: of his last event.
        history: his events until the moment, oldest first.
        later: items that he bought after the moment.
    """

    kind: str
    why: str
    buys_again: bool
    country: str
    history: pd.DataFrame
    later: frozenset[str]


def choose_customers(
    events: pd.DataFrame, items: pd.DataFrame, moment: pd.Timestamp
) -> list[Customer]:
    """Returns a big regular buyer, a small shop with few orders, and one of a narrow taste.

    Only customers who bought again after the moment are looked at, so that a recommendation can
    be compared with what they did. Where nobody fits a kind, it is left out.

    Args:
        events: columns user_id, item_id, timestamp, event, order_id, country.
        items: columns item_id, title.
        moment: events from then on are the future.
    """
    bought = events[events["event"] == "purchase"]
    past, future = bought[bought["timestamp"] < moment], bought[bought["timestamp"] >= moment]
    past = past[past["user_id"].isin(future["user_id"].unique())]
    chosen: dict[str, tuple[str, str, bool]] = {}
    for rule, buys_again in ((_regular, True), (_small, False), (_narrow, False)):
        found = rule(past[~past["user_id"].isin(list(chosen))], items)
        if found is not None:
            user, kind, why = found
            chosen[user] = (kind, why, buys_again)
    customers = []
    for user, (kind, why, buys_again) in chosen.items():
        own = events[(events["user_id"] == user) & (events["timestamp"] < moment)]
        own = own.sort_values("timestamp", kind="stable")
        later = frozenset(future.loc[future["user_id"] == user, "item_id"])
        customers.append(Customer(kind, why, buys_again, own["country"].iloc[-1], own, later))
    return customers


def best_sellers(events: pd.DataFrame, items: pd.DataFrame, word: str = "") -> list[str]:
    """Returns the ids of the items with `word` in their title, by orders, most first."""
    orders = events.loc[events["event"] == "purchase"].groupby("item_id")["order_id"].nunique()
    found = items.loc[items["title"].str.contains(word, case=False, regex=False), "item_id"]
    return (
        orders[orders.index.isin(found)].sort_values(ascending=False, kind="stable").index.tolist()
    )


def _regular(past: pd.DataFrame, items: pd.DataFrame) -> tuple[str, str, str] | None:
    orders = past.groupby("user_id")["order_id"].nunique()
    if orders.empty:
        return None
    user = orders.idxmax()
    why = f"{orders[user]:,} orders, more than any other customer"
    return user, "A big regular buyer", why


def _small(past: pd.DataFrame, items: pd.DataFrame) -> tuple[str, str, str] | None:
    by_user = past.groupby("user_id")
    orders, products = by_user["order_id"].nunique(), by_user["item_id"].nunique()
    products = products[orders.between(*FEW_ORDERS)]
    if products.empty:
        return None
    user = (products - products.median()).abs().idxmin()
    why = (
        f"{orders[user]} orders so far; of all customers with {FEW_ORDERS[0]} or {FEW_ORDERS[1]} "
        f"the one nearest their median, {products[user]} different products"
    )
    return user, "A small gift shop with few orders", why


def _narrow(past: pd.DataFrame, items: pd.DataFrame) -> tuple[str, str, str] | None:
    words = {
        item: set(_WORD.findall(title))
        for item, title in zip(items["item_id"], items["title"], strict=True)
    }
    titles_with = Counter(word for own in words.values() for word in own)
    telling = {word for word, count in titles_with.items() if count <= COMMON_WORD * len(words)}
    tastes = []
    for user, bought in past.groupby("user_id")["item_id"].unique().items():
        counts = Counter(word for item in bought for word in words.get(item, set()) & telling)
        if len(bought) < FEWEST_PRODUCTS_OF_A_TASTE or not counts:
            continue
        word = min(counts, key=lambda word: (-counts[word], word))
        tastes.append((counts[word] / len(bought), user, counts[word], len(bought), word))
    if not tastes:
        return None
    _, user, count, total, word = min(tastes, key=lambda taste: (-taste[0], taste[1]))
    why = f"{count} of the {total} products bought so far have “{word}” in their name"
    return user, "A customer of a narrow taste", why
