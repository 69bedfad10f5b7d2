"""How often each place of a list is looked at, estimated from the clicks of the log itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.isotonic import IsotonicRegression

STEPS = 5000
TOLERANCE = 1e-9
CLICKS_A_GROUP = 20
MOST_GROUPS = 100


@dataclass(frozen=True)
class Examination:
    """Chances that a place is looked at, as shares of that of the first place.

    Attributes:
        chances: float64 `[places]` in (0, 1] where clicks tell; 1 for the first place.
        shown: int64 `[places]`, items that were shown there.
        clicked: int64 `[places]`, how many of them were clicked.
        known: bool `[places]`; of the others too little is in the log, and they have the chance
            of the last known place before them.
    """

    chances: np.ndarray
    shown: np.ndarray
    clicked: np.ndarray
    known: np.ndarray

    def at(self, positions: np.ndarray | Sequence[int]) -> np.ndarray:
        """Returns the chance at each position, from 1; of those beyond the last that of the last.

        Args:
            positions: int `[...]`.
        """
        return self.chances[np.clip(np.asarray(positions), 1, len(self.chances)) - 1]


def estimate_examination(
    positions: np.ndarray, clicked: np.ndarray, groups: np.ndarray, *, falling: bool = True
) -> Examination:
    """Fits the position-based model: a click is a look at the place, then a liking of the item.

    `p(click at place k of an item of group g) = examination_k * attraction_g` (Craswell, Zoeter,
    Taylor and Ramsey, "An experimental comparison of click position-bias models", WSDM 2008).
    What tells the two factors apart is that items of one group stand at several places. As in
    regression EM (Wang, Golbandi, Bendersky, Metzler and Najork, "Position bias estimation for
    unbiased learning to rank in personal search", WSDM 2018) attraction is a function of what
    is known of an item rather than one number each. The two are estimated in turns, each from
    as many clicks as were expected of the other one (Poisson likelihood, whose estimates hold
    for rare clicks and, as estimating equations, for others too): the steps of EM get as short
    as clicks are rare.

    Args:
        positions: int `[items shown]`, from 1.
        clicked: bool `[items shown]`.
        groups: int `[items shown]`, from 0; items of one group are taken to be liked alike.
        falling: whether no place is looked at more than one before it, fitted by isotonic
            regression.

    Raises:
        ValueError: if nothing was shown.
    """
    positions = np.asarray(positions, dtype=np.int64)
    if not len(positions):
        raise ValueError("`positions` should not be empty")
    size = (int(positions.max()), int(groups.max()) + 1)
    cells = np.ravel_multi_index((positions - 1, groups), size)
    shown = np.bincount(cells, minlength=size[0] * size[1]).reshape(size).astype(np.float64)
    clicks = np.bincount(cells, np.asarray(clicked, np.float64), size[0] * size[1]).reshape(size)
    known = _comparable(shown, clicks)
    looked = known.astype(np.float64)
    for _ in range(STEPS):
        expected = looked @ shown
        liked = np.divide(known @ clicks, expected, where=expected > 0, out=np.zeros(size[1]))
        expected = shown @ liked
        update = np.divide(clicks.sum(1), expected, where=known & (expected > 0), out=looked * 0)
        update /= update[0] or 1.0
        settled = np.abs(update - looked).max() < TOLERANCE
        looked = update
        if settled:
            break
    if falling and known.sum() > 1:
        # Each place counts by the clicks that were expected there if it were looked at.
        fitted = IsotonicRegression(increasing=False).fit_transform(
            np.flatnonzero(known), looked[known], sample_weight=(shown @ liked)[known]
        )
        looked[known] = fitted / fitted[0]
    last = np.maximum.accumulate(np.where(known, np.arange(size[0]), 0))
    return Examination(
        looked[last], shown.sum(1).astype(np.int64), clicks.sum(1).astype(np.int64), known
    )


def _comparable(shown: np.ndarray, clicks: np.ndarray) -> np.ndarray:
    """Returns bool `[places]`: clicked places that groups link with the first one.

    Without a chain of groups that were shown at both, nothing tells how much more one place is
    looked at than another.

    Args:
        shown: float `[places, groups]`.
        clicks: float `[places, groups]`.
    """
    places, groups = shown.shape
    # A group that was never clicked says nothing of where shoppers look.
    rows, columns = np.nonzero((shown > 0) & (clicks.sum(0) > 0))
    graph = coo_matrix(
        (np.ones(len(rows)), (rows, places + columns)), shape=(places + groups, places + groups)
    )
    _, parts = connected_components(graph, directed=False)
    known: np.ndarray = (parts[:places] == parts[0]) & (clicks.sum(1) > 0)
    known[0] = True
    return known


def score_groups(scores: np.ndarray, clicked: np.ndarray, versions: np.ndarray) -> np.ndarray:
    """Returns groups of items that the model liked alike, int64 `[items shown]`.

    A model puts an item at a place by its score alone, so among items of one score the place says
    nothing more of how much they are liked. Scores of two versions are not compared. Groups are
    as narrow as their clicks allow.

    Args:
        scores: float `[items shown]`.
        clicked: bool `[items shown]`.
        versions: int `[items shown]`, whose scores they are.
    """
    groups = np.zeros(len(scores), np.int64)
    first = 0
    for version in np.unique(versions):
        own = np.flatnonzero(versions == version)
        count = int(np.clip(clicked[own].sum() // CLICKS_A_GROUP, 1, MOST_GROUPS))
        edges = np.quantile(scores[own], np.linspace(0, 1, count + 1)[1:-1])
        groups[own] = first + np.searchsorted(edges, scores[own], side="right")
        first += count
    return groups
