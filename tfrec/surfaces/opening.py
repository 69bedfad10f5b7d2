"""What a shopper is shown of whom nothing is known: popular products of many kinds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfrec.data.dataset import PreparedDataset
from tfrec.data.item_counts import SECONDS_PER_DAY
from tfrec.data.records import Histories
from tfrec.evaluation.metrics import ndcg, target_ranks
from tfrec.surfaces.stored import StoredTables

DAYS: tuple[int | None, ...] = (30, 7, 14, 60, None)
DIVERSITIES = (0.4, 0.3, 0.2, 0.1, 0.0)
"""Weights of diversity, the largest first."""
LOSS = 0.02
"""Share of NDCG that diversity may cost on the validation split."""
DEPTH = 300
"""Most popular products that compete for the first places."""
ARRANGED = 100
CUTOFF = 10
DROP = 1e-5


@dataclass(frozen=True)
class OpeningTables(StoredTables):
    """The order of the catalogue for a shopper without a history.

    Attributes:
        values: float32 `[num_items + 1]`, falling along that order: the share of the shoppers of
            late who chose a product, and never more than that of the product before it.
    """

    values: np.ndarray


@dataclass(frozen=True)
class OpeningSettings:
    """How the order is made.

    Attributes:
        days: length of the window that is counted; None for the whole log.
        diversity: weight of diversity against popularity, from 0 to 1.
    """

    days: int | None
    diversity: float


def fit_opening(
    dataset: PreparedDataset, vectors: np.ndarray
) -> tuple[OpeningTables, OpeningSettings, dict[str, float]]:
    """Chooses window and diversity by the first choices of the validation period's new shoppers.

    Of the weights of diversity that cost at most `LOSS` of the NDCG, the largest one is taken.

    Args:
        dataset: the prepared data set.
        vectors: float32 `[num_items, dimension]`, by which products are alike, such as their texts.

    Returns:
        The order from the log before the test period, the settings, and NDCG at 10.
    """
    settings, metrics = OpeningSettings(DAYS[0], DIVERSITIES[2]), {}
    offsets, targets = first_choices(dataset, "valid")
    if len(targets):
        log, width = dataset.log_before("valid"), dataset.num_items + 1
        shares = {
            days: buyers_of_late(log, width, dataset.target_event_indices, days) for days in DAYS
        }

        def measure(days: int | None, weight: float) -> float:
            values = falling_values(shares[days], vectors, weight)
            values[0] = -np.inf
            scores = np.broadcast_to(values, (len(offsets) - 1, width))
            return float(ndcg(target_ranks(scores, offsets, targets), offsets, CUTOFF).mean())

        days = max(DAYS, key=lambda days: measure(days, 0.0))
        quality = {weight: measure(days, weight) for weight in DIVERSITIES}
        enough = (1.0 - LOSS) * max(quality.values())
        weight = next(weight for weight in DIVERSITIES if quality[weight] >= enough)
        settings, metrics = OpeningSettings(days, weight), {"opening_ndcg@10": quality[weight]}
    return count_opening(dataset, "test", settings, vectors), settings, metrics


def count_opening(
    dataset: PreparedDataset, before: str, settings: OpeningSettings, vectors: np.ndarray
) -> OpeningTables:
    """Returns the order that the log before a split says, arguments as in `fit_opening`."""
    shares = buyers_of_late(
        dataset.log_before(before),
        dataset.num_items + 1,
        dataset.target_event_indices,
        settings.days,
    )
    return OpeningTables(falling_values(shares, vectors, settings.diversity))


def falling_values(shares: np.ndarray, vectors: np.ndarray, diversity: float) -> np.ndarray:
    """Returns the values of `OpeningTables`, float32 `[num_items + 1]`.

    Args:
        shares: float `[num_items + 1]`, as `buyers_of_late` returns them.
        vectors: as in `fit_opening`.
        diversity: as in `diverse_order`.
    """
    order = diverse_order(shares[1:], vectors, diversity) + 1
    values = np.zeros(len(shares), np.float32)
    falling = np.minimum.accumulate(shares[order])
    # Equal values would be told apart by chance.
    values[order] = falling * (1.0 - DROP * np.arange(len(order)))
    return values


def buyers_of_late(
    log: Histories, width: int, events: Sequence[int], days: int | None
) -> np.ndarray:
    """Returns the share of a window's shoppers who chose each item, float64 `[width]`."""
    counted = np.isin(log.event, events)
    if days is not None:
        end = int(log.timestamp.max(initial=0))
        counted &= log.timestamp > end - days * SECONDS_PER_DAY
    owner = log.owner[counted]
    pairs = np.unique(owner * width + log.item[counted])
    buyers = max(1, len(np.unique(owner)))
    return np.bincount(pairs % width, minlength=width) / buyers


def diverse_order(values: np.ndarray, vectors: np.ndarray, diversity: float) -> np.ndarray:
    """Returns items in an order that weighs value against likeness to those before.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) for the first places, the
    order of the values for all others. In numpy, for the trials of a fitting and one list of a
    whole catalogue; `tfrec.rerank` has it as a graph over the lists of a request, beside rules and
    caps. Opposite products count as no more different here than unrelated ones, as an opening
    is to show many kinds of products.

    Args:
        values: float `[num_items]`, not below 0.
        vectors: float `[num_items, dimension]`.
        diversity: from 0 (value alone) to 1.

    Returns:
        int64 `[num_items]`, positions.
    """
    by_value = np.argsort(-values, kind="stable")
    head = by_value[:DEPTH]
    unit = vectors[head] / np.maximum(np.linalg.norm(vectors[head], axis=1, keepdims=True), 1e-12)
    likeness = np.maximum(unit @ unit.T, 0.0)
    relevance = (1.0 - diversity) * values[head] / max(float(values.max(initial=0.0)), 1e-12)
    nearest = np.zeros(len(head))
    left = np.ones(len(head), bool)
    first = []
    for _ in range(min(ARRANGED, len(head))):
        gains = np.where(left, relevance - diversity * nearest, -np.inf)
        pick = int(gains.argmax())
        first.append(pick)
        left[pick] = False
        nearest = np.maximum(nearest, likeness[pick])
    return np.concatenate([head[first], head[left], by_value[DEPTH:]]).astype(np.int64)


def first_choices(dataset: PreparedDataset, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns what shoppers without a history choose: offsets, and items `[targets]`."""
    later = dataset.histories(split)
    new = later.lengths == 0
    owner = later.target_owner
    counted = np.isin(later.target_event, dataset.target_event_indices) & new[owner]
    width = dataset.num_items + 1
    pairs = np.unique(owner[counted] * width + later.target_item[counted])
    _, sizes = np.unique(pairs // width, return_counts=True)
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), pairs % width
