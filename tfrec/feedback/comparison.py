"""Compares a new policy with the logged one from the log alone, event by event."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfrec.config import SurfaceConfig
from tfrec.errors import UserError
from tfrec.feedback.estimators import LoggedPlaces, cross_fitted, estimates, support
from tfrec.feedback.examples import LABEL_PREFIX
from tfrec.feedback.exploration import place_chances
from tfrec.feedback.report import Comparison, warnings_of


@dataclass(frozen=True)
class NewOrders:
    """What a new policy would show, chance left aside.

    Attributes:
        items: str `[lists, depth]`, best first; "" where there is none.
        scores: float64 `[lists, depth]`, the value it orders by, or as good as.
        surface: how many places it leaves to chance.
    """

    items: np.ndarray
    scores: np.ndarray
    surface: SurfaceConfig


def compare_policies(
    table: pd.DataFrame,
    orders: NewOrders,
    looks: np.ndarray,
    logged: SurfaceConfig,
    events: Sequence[str],
    *,
    by_score: bool,
    most_weight: float,
) -> Comparison:
    """Estimates what a new policy would earn from the examples of the logged one.

    Args:
        table: examples, of the first places of lists.
        orders: what the new policy would show in the place of each.
        looks: float `[places]`, how often each place is looked at.
        logged: the display order of the logged lists.
        events: which labels are rewards.
        by_score: whether the lists' order is that of their scores but for the surface's
            `exploration_share`; then the position-based model is assumed. Else the logged
            propensities are used, and the item-position model.
        most_weight: largest weight.

    Raises:
        UserError: if the chances of the logged lists are not known, or cannot be what they are
            said to be.
    """
    places = min(len(looks), logged.places, orders.surface.places, orders.items.shape[1])
    looks = np.asarray(looks, dtype=np.float64)[:places]
    flat = _flat(table, events)
    flat = flat[flat["position"] <= places].reset_index(drop=True)
    owner = flat["owner"].to_numpy()
    place = flat["position"].to_numpy() - 1
    rank = _new_ranks(flat, orders.items)
    depth = max(orders.items.shape[1], orders.surface.places)
    chances = place_chances(depth, orders.surface.places, orders.surface.exploration_share)
    chances = chances[:, :places]
    shown = rank >= 0
    if by_score:
        chance = _logged_attention(flat, logged, looks)
        new = np.where(shown, (chances @ looks)[rank], 0.0)
        row_looks = looks[place]
    else:
        chance = flat["propensity"].to_numpy(dtype=np.float64)
        if np.isnan(chance).any():
            raise UserError(
                "the log does not say how likely its lists were; record propensities, or give "
                "--by-score if lists are ordered by score but for display.exploration_share"
            )
        new = np.where(shown, chances[rank, place], 0.0)
        row_looks, looks = np.ones(len(flat)), np.ones(places)
    # A shopper without an id may be anybody.
    users = table["user"].where(table["user"].notna(), [f"list {row}" for row in table.index])
    rows = LoggedPlaces(
        shopper=pd.factorize(users)[0].astype(np.int64),
        owner=owner,
        looks=row_looks,
        logged=chance,
        new=new,
        total=float(looks.sum()),
        places=places,
        most_weight=most_weight,
    )
    worst = orders.scores.min(axis=1)[owner]
    scores = np.where(shown, orders.scores[owner, rank], worst)
    attention = (chances @ looks)[: orders.items.shape[1]]
    found = {}
    for event in events:
        reward = flat[LABEL_PREFIX + event].to_numpy(dtype=np.float64)
        liking, new_liking = cross_fitted(rows, reward, scores, orders.scores)
        found[event] = estimates(rows, reward, liking, new_liking @ attention)
    told = support(rows)
    shoppers = int(rows.shopper.max()) + 1
    model = "position-based" if by_score else "item-position"
    return Comparison(found, told, shoppers, places, model, warnings_of(told, shoppers))


def _flat(table: pd.DataFrame, events: Sequence[str]) -> pd.DataFrame:
    """Returns one row a place: its columns, and `owner`, the list."""
    names = ["item_id", "position", "rank", "propensity", *[LABEL_PREFIX + e for e in events]]
    columns = {name: np.concatenate(table[name].tolist()) for name in names}
    owner = np.repeat(np.arange(len(table)), [len(items) for items in table["item_id"]])
    return pd.DataFrame({"owner": owner, **columns})


def _new_ranks(flat: pd.DataFrame, items: np.ndarray) -> np.ndarray:
    """Returns the rank of each shown item in the new policy's list, int64; -1 where it is not."""
    index = [{item: rank for rank, item in enumerate(row) if item} for row in items.tolist()]
    return np.array(
        [
            index[owner].get(item, -1)
            for owner, item in zip(flat["owner"], flat["item_id"], strict=True)
        ],
        dtype=np.int64,
    )


def _logged_attention(flat: pd.DataFrame, surface: SurfaceConfig, looks: np.ndarray) -> np.ndarray:
    rank = flat["rank"].to_numpy()
    if (rank < 0).any():
        raise UserError("the log has lists without scores; --by-score needs the scores of all")
    chances = place_chances(surface.depth, surface.places, surface.exploration_share)
    attention = (chances[:, : len(looks)] @ looks)[np.minimum(rank, surface.depth - 1)]
    if (attention <= 0).any():
        raise UserError(
            "lists of the log are not in the order of their scores, so chance or a rule had a "
            "hand in it; give the configuration with their display.exploration_share, or record "
            "propensities"
        )
    return attention
