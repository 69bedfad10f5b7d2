"""The protocol of an evaluation: which shoppers, which targets, what is masked, how to batch."""

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tfrec.config import EvaluationConfig
from tfrec.errors import UserError
from tfrec.evaluation.lists import coverage, gini, intra_list_diversity, novelty, top_lists
from tfrec.evaluation.metrics import case_of_target, target_ranks
from tfrec.evaluation.result import Result, accuracy, summarise
from tfrec.evaluation.slices import slices_of
from tfrec.progress import progress

if TYPE_CHECKING:
    from tfrec.data.dataset import Histories, PreparedDataset

LONGEST_LIST = 20
"""Coverage, novelty, diversity and Gini are measured at the cutoffs up to this one."""

_CELLS_AT_ONCE = 16_000_000
_LARGEST_BATCH = 1024


class Scorer(Protocol):
    """A model as the evaluation sees it.

    Attributes:
        name: the model's name in tables and files, such as ``"item_knn"``.
    """

    name: str

    def score(self, histories: "Histories") -> np.ndarray:
        """Scores the whole catalogue for a batch of shoppers.

        Args:
            histories: the shoppers' pasts; their targets are withheld (empty).

        Returns:
            float `[len(histories), num_items + 1]`; column ``j`` belongs to item index ``j``,
            column 0 is ignored, minus infinity means that the item is never shown.
        """
        ...


@dataclass(frozen=True)
class Cases:
    """The evaluation cases of a split: shoppers with at least one target.

    Attributes:
        split: name of the split.
        repeats: ``"count"`` or ``"exclude"``, as in `EvaluationConfig`.
        indices: int64 `[num_cases]`, positions of the shoppers in the split.
        histories: the shoppers' pasts, without targets.
        target_offsets: int64 `[num_cases + 1]`.
        target_item: int32 `[num_targets]`, unique within a case, ascending.
        new_shopper: bool `[num_cases]`, true where training knows nothing of the shopper.
        train_events: int64 `[num_items]`, events of the target types in training, by item.
        dropped: shoppers of the split (or subset) that are left without a target.
    """

    split: str
    repeats: str
    indices: np.ndarray
    histories: "Histories"
    target_offsets: np.ndarray
    target_item: np.ndarray
    new_shopper: np.ndarray
    train_events: np.ndarray
    dropped: int

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def num_items(self) -> int:
        """Items in the catalogue."""
        return len(self.train_events)

    @classmethod
    def of(
        cls,
        dataset: "PreparedDataset",
        split: str,
        config: EvaluationConfig,
        *,
        subset: np.ndarray | None = None,
    ) -> "Cases":
        """Makes the cases of a split.

        Targets are the distinct items with an event of a target type in the split's period.
        With ``repeats="exclude"``, items that the shopper already had an event with are no
        targets, and shoppers left without a target are dropped.

        Args:
            dataset: the prepared data set.
            split: ``"valid"`` or ``"test"``.
            config: its `repeats` is used.
            subset: positions in the split to evaluate; None for all.

        Raises:
            UserError: if the split has no targets, or does not exist.
        """
        if split == "train":
            raise UserError(
                "the split `train` has no targets to evaluate against; choose `valid` or `test`"
            )
        histories = dataset.histories(split)
        chosen = np.arange(len(histories)) if subset is None else np.asarray(subset)
        if subset is not None:
            histories = histories.select(chosen)
        width = dataset.num_items + 1
        case = case_of_target(histories.target_offsets)
        wanted = np.isin(histories.target_event, dataset.target_event_indices)
        wanted &= histories.target_item > 0
        # A pair (case, item) as one number: unique() then sorts and removes duplicates at once.
        pairs = np.unique(case[wanted] * width + histories.target_item[wanted])
        if config.repeats == "exclude":
            seen = case_of_target(histories.offsets) * width + histories.item
            pairs = pairs[~np.isin(pairs, seen)]
        counts = np.bincount(pairs // width, minlength=len(histories))
        kept = np.flatnonzero(counts)
        if len(kept) == 0:
            raise UserError(
                f"the split `{split}` has no shopper with a target to evaluate "
                f"(repeats={config.repeats}, {len(histories)} shoppers)"
            )
        known = np.unique(dataset.histories("train").user)
        histories = _without_targets(histories.select(kept))
        return cls(
            split=split,
            repeats=config.repeats,
            indices=chosen[kept],
            histories=histories,
            target_offsets=np.concatenate([[0], np.cumsum(counts[kept])]),
            target_item=(pairs % width).astype(np.int32),
            new_shopper=~np.isin(histories.user, known),
            train_events=dataset.items["train_events"].to_numpy(dtype=np.int64),
            dropped=len(chosen) - len(kept),
        )


def evaluate(
    scorer: Scorer,
    dataset: "PreparedDataset",
    split: str,
    config: EvaluationConfig,
    *,
    subset: np.ndarray | None = None,
    cases: Cases | None = None,
    item_vectors: np.ndarray | None = None,
    seed: int = 0,
    batch_size: int | None = None,
) -> Result:
    """Evaluates one model on the full catalogue.

    Memory is bounded: a batch holds at most 16 million scores.

    Args:
        scorer: the model.
        dataset: the prepared data set.
        split: ``"valid"`` or ``"test"``.
        config: cutoffs, repeats, bootstrap samples, and what a new item is.
        subset: positions in the split to evaluate; None for all.
        cases: what `Cases.of` returned for the same arguments, to share it between models.
        item_vectors: float `[num_items, dimension]` for intra-list diversity, usually the text
            vectors; None leaves diversity out.
        seed: seed of the bootstrap.
        batch_size: shoppers a call of `scorer.score`; None for what memory allows, up to 1024.

    Raises:
        UserError: if the split has no targets, or the model gives NaN or infinite scores.
        ValueError: if the model's scores have the wrong shape.
    """
    if cases is None:
        cases = Cases.of(dataset, split, config, subset=subset)
    started = time.perf_counter()
    list_cutoffs = [k for k in config.cutoffs if k <= LONGEST_LIST] or [min(config.cutoffs)]
    ranks, lists = _rank(scorer, cases, max(list_cutoffs), batch_size)
    seconds = time.perf_counter() - started

    per_case = accuracy(ranks, cases.target_offsets, config.cutoffs)
    metrics, intervals = summarise(per_case, samples=config.bootstrap_samples, seed=seed)
    for k in list_cutoffs:
        top = lists[:, :k]
        metrics[f"coverage@{k}"] = coverage(top, cases.num_items)
        metrics[f"gini@{k}"] = gini(top, cases.num_items)
        metrics[f"novelty@{k}"] = _mean(novelty(top, cases.train_events))
        if item_vectors is not None and k > 1:
            metrics[f"diversity@{k}"] = _mean(intra_list_diversity(top, item_vectors))
    return Result(
        name=scorer.name,
        split=cases.split,
        repeats=cases.repeats,
        cases=len(cases),
        dropped=cases.dropped,
        indices=cases.indices,
        metrics=metrics,
        intervals=intervals,
        per_case=per_case,
        slices=slices_of(cases, ranks, config, seed=seed),
        seconds=seconds,
        bootstrap_samples=config.bootstrap_samples,
        seed=seed,
    )


def _rank(
    scorer: Scorer, cases: Cases, list_length: int, batch_size: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rank of every target, and every case's top list."""
    width = cases.num_items + 1
    if batch_size is None:
        batch_size = max(1, min(_LARGEST_BATCH, _CELLS_AT_ONCE // width))
    ranks = np.empty(len(cases.target_item), dtype=np.int64)
    lists = np.zeros((len(cases), list_length), dtype=np.int32)
    offsets = cases.target_offsets
    with progress(description=f"evaluate {scorer.name}", total=len(cases), unit="shopper") as bar:
        for start in range(0, len(cases), batch_size):
            stop = min(start + batch_size, len(cases))
            histories = cases.histories.select(np.arange(start, stop))
            scores = _checked(scorer.score(histories), scorer.name, (stop - start, width))
            scores[:, 0] = -np.inf
            if cases.repeats == "exclude":
                scores[case_of_target(histories.offsets), histories.item] = -np.inf
            targets = slice(offsets[start], offsets[stop])
            ranks[targets] = target_ranks(
                scores, offsets[start : stop + 1] - offsets[start], cases.target_item[targets]
            )
            lists[start:stop] = top_lists(scores, list_length)
            bar.update(stop - start)
    return ranks, lists


def _checked(scores: np.ndarray, name: str, shape: tuple[int, int]) -> np.ndarray:
    """Returns a copy of the scores that may be masked, once they are known to be usable."""
    scores = np.array(scores, dtype=np.float32)
    if scores.shape != shape:
        raise ValueError(
            f"`{name}.score` should return shape {shape} [num_shoppers, num_items + 1]. "
            f"Received: shape {scores.shape}"
        )
    bad = np.isnan(scores[:, 1:]) | np.isposinf(scores[:, 1:])
    if bad.any():
        raise UserError(
            f"the model `{name}` gave scores that are not numbers (NaN or infinite) for "
            f"{np.count_nonzero(bad.any(axis=1))} of {shape[0]} shoppers; its training has "
            "probably diverged, so train it again with a smaller learning rate"
        )
    return scores


def _without_targets(histories: "Histories") -> "Histories":
    """Returns the histories with every shopper's targets removed, so that no model can peek."""
    return dataclasses.replace(
        histories,
        target_offsets=np.zeros(len(histories) + 1, dtype=np.int64),
        target_item=histories.target_item[:0],
        target_event=histories.target_event[:0],
        target_timestamp=histories.target_timestamp[:0],
    )


def _mean(values: np.ndarray) -> float:
    """Returns the mean of the values that are defined; NaN when none is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
