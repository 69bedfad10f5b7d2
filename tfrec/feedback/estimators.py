"""What a policy would have earned, estimated from what another one showed and earned.

An own module because no library fits: Open Bandit Pipeline would move numpy and pandas to older
versions and brings PyTorch, and the small ones take single actions with independent outcomes, where
a shop has lists of places and shoppers who come again. The tests compare with one of them where
the two agree.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn.isotonic import IsotonicRegression

from tfrec.monitoring.experiment.estimates import linearised_ratio

CONFIDENCE = 0.95
FOLDS = 5
LOGGED, NAIVE, DIRECT = "logged", "naive", "direct"
IPS, SNIPS, DOUBLY_ROBUST = "IPS", "SNIPS", "doubly robust"


@dataclass(frozen=True)
class LoggedPlaces:
    """The places of logged lists, and how much attention two policies give their items.

    A policy gives an item the attention `sum over places of P(item at the place) * looks(place)`.
    Under the position-based model the expected reward of an item is its attention times what a
    look at it is worth, whichever place it stands at (Li, Abbasi-Yadkori, Kveton, Muthukrishnan,
    Vinay and Wen, "Offline evaluation of ranking policies with click models", KDD 2018). Where
    only the chance of the very place is known, that chance is the attention and looks are 1 (their
    item-position model).

    Attributes:
        shopper: int64 `[lists]`, numbers from 0.
        owner: int64 `[rows]`, the list of each place.
        looks: float64 `[rows]`, chance that the place is looked at.
        logged: float64 `[rows]`, attention that the logged policy gives the item.
        new: float64 `[rows]`, attention that the new policy gives it.
        total: attention that a policy has to give in a list, `sum of looks` over its places.
        places: number of places of a list.
        most_weight: largest weight `new / logged`; larger ones are clipped.
    """

    shopper: np.ndarray
    owner: np.ndarray
    looks: np.ndarray
    logged: np.ndarray
    new: np.ndarray
    total: float
    places: int
    most_weight: float = math.inf

    @property
    def weights(self) -> np.ndarray:
        """float64 `[rows]`: how much more attention the new policy gives than the logged one."""
        return np.minimum(self.new / self.logged, self.most_weight)

    def by_shopper(self, rows: np.ndarray) -> np.ndarray:
        """Returns float64 `[shoppers]`, the sums of values `[rows]` over a shopper's lists."""
        return np.bincount(self.shopper[self.owner], rows, minlength=self.shopper.max() + 1)

    @property
    def lists(self) -> np.ndarray:
        """float64 `[shoppers]`: lists of each."""
        return np.bincount(self.shopper).astype(np.float64)


@dataclass(frozen=True)
class Estimate:
    """A reward per place shown, with the 95 % interval over shoppers.

    Attributes:
        value: the estimate.
        low: lower end.
        high: upper end.
        change: difference from the logged policy.
        change_low: lower end of its interval, which knows that both are of the same shoppers.
        change_high: upper end.
    """

    value: float
    low: float
    high: float
    change: float
    change_low: float
    change_high: float


@dataclass(frozen=True)
class Support:
    """How well a log can tell of a new policy.

    Attributes:
        effective_lists: lists that would tell as much if all weighed the same (Kish, 1965).
        lists: lists of the log.
        covered: share of the new policy's attention that the weights account for: 1 but for chance
            if the logged policy could show whatever the new one does and its chances are right.
        covered_low: lower end of the 95 % interval of `covered`.
        covered_high: upper end.
        clipped: share of the places whose weight was clipped.
        largest: largest weight.
    """

    effective_lists: float
    lists: int
    covered: float
    covered_low: float
    covered_high: float
    clipped: float
    largest: float


def estimates(
    places: LoggedPlaces, reward: np.ndarray, liking: np.ndarray, direct: np.ndarray
) -> dict[str, Estimate]:
    """Returns what both policies earn per place, by estimator.

    `logged` is the log's own mean, and `naive` the mean over the places whose item the new policy
    shows as well, without weights, which is biased. `direct` believes the model of rewards. `IPS`
    weighs by inverse propensity (Horvitz and Thompson, 1952), `SNIPS` divides by the sum of the
    weights (Swaminathan and Joachims, NeurIPS 2015), and `doubly robust` corrects the model of
    rewards by weighted residuals: it is right if the model or the propensities are (Dudík,
    Langford and Li, "Doubly robust policy evaluation and learning", ICML 2011).

    Args:
        places: the log.
        reward: float `[rows]`, what happened at each place.
        liking: float `[rows]`, what a look at the item of each place is worth by a model that has
            not seen the shopper's rewards.
        direct: float `[lists]`, what a list of the new policy earns by that model.
    """
    weights, lists = places.weights, places.lists
    reward = np.asarray(reward, dtype=np.float64)
    weighted = places.by_shopper(weights * reward)
    both = (places.new > 0).astype(np.float64)
    expected = np.bincount(places.shopper, direct)
    residual = places.by_shopper(weights * (reward - places.looks * liking))
    per_list = {
        LOGGED: linearised_ratio(places.by_shopper(reward), lists),
        DIRECT: linearised_ratio(expected, lists),
        IPS: linearised_ratio(weighted, lists),
        SNIPS: places.total * linearised_ratio(weighted, places.by_shopper(weights * places.looks)),
        DOUBLY_ROBUST: linearised_ratio(expected + residual, lists),
    }
    per_place = {name: values / places.places for name, values in per_list.items()}
    per_place[NAIVE] = linearised_ratio(places.by_shopper(both * reward), places.by_shopper(both))
    order = (LOGGED, NAIVE, DIRECT, IPS, SNIPS, DOUBLY_ROBUST)
    return {name: _estimate(per_place[name], per_place[LOGGED]) for name in order}


def support(places: LoggedPlaces) -> Support:
    """Returns how well a log can tell of the new policy."""
    weights = places.weights
    of_list = np.bincount(places.owner, weights * places.looks, minlength=len(places.shopper))
    squares = float((of_list**2).sum())
    covered = linearised_ratio(places.by_shopper(weights * places.looks), places.lists)
    value, low, high = _interval(covered / places.total)
    return Support(
        effective_lists=float(of_list.sum() ** 2 / squares) if squares else 0.0,
        lists=len(places.shopper),
        covered=value,
        covered_low=low,
        covered_high=high,
        clipped=float((places.new / places.logged > places.most_weight).mean()),
        largest=float(weights.max(initial=0.0)),
    )


def cross_fitted(
    places: LoggedPlaces, reward: np.ndarray, scores: np.ndarray, new_scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Predicts what a look is worth from scores, for each shopper by the other shoppers' rewards.

    The prediction rises with the score (isotonic regression), places count by their looks, and a
    reward is divided by them, as under the position-based model.

    Args:
        places: the log.
        reward: float `[rows]`.
        scores: float `[rows]`, the new policy's score of the item at each place.
        new_scores: float `[lists, depth]`, its scores of the items it would show.

    Returns:
        float64 `[rows]` and `[lists, depth]`.
    """
    fold = places.shopper % FOLDS
    of_row = fold[places.owner]
    reward = np.asarray(reward, dtype=np.float64)
    liking, new_liking = np.zeros(len(scores)), np.zeros(new_scores.shape)
    for number in np.unique(fold):
        own, others = of_row == number, of_row != number
        if not others.any():
            continue
        looks = places.looks[others]
        model = IsotonicRegression(y_min=0.0, out_of_bounds="clip")
        model.fit(scores[others], reward[others] / looks, sample_weight=looks)
        liking[own] = model.predict(scores[own])
        lists = fold == number
        new_liking[lists] = model.predict(new_scores[lists].ravel()).reshape(lists.sum(), -1)
    return liking, new_liking


def _estimate(values: np.ndarray, logged: np.ndarray) -> Estimate:
    return Estimate(*_interval(values), *_interval(values - logged))


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    """Returns mean and normal interval of values `[shoppers]`."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = (
        float(norm.ppf(0.5 + CONFIDENCE / 2)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    )
    return mean, mean - half, mean + half
