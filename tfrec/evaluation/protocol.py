"""The protocol of an evaluation: what a model is asked, what is masked, how it is batched."""

import dataclasses
import time
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tfrec.config import EvaluationConfig
from tfrec.data.records import batches_by_length, ragged_rows
from tfrec.errors import UserError
from tfrec.evaluation.cases import Cases
from tfrec.evaluation.lists import coverage, gini, intra_list_diversity, novelty, top_lists
from tfrec.evaluation.metrics import target_ranks
from tfrec.evaluation.result import Result, accuracy, summarise
from tfrec.evaluation.slices import slices_of
from tfrec.progress import progress

if TYPE_CHECKING:
    from tqdm import tqdm

    from tfrec.data.dataset import PreparedDataset
    from tfrec.data.records import Histories

LONGEST_LIST = 20
"""Coverage, novelty, diversity and Gini are measured at the cutoffs up to this one."""

# 16 MB of float32: the allocator reuses blocks of that size, where it would ask the kernel for
# fresh pages for larger ones, which costs more than all the arithmetic here.
_CELLS_AT_ONCE = 4_000_000
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

    Memory is bounded: a batch holds at most 4 million scores, or one shopper's.

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
    with progress(description=f"evaluate {scorer.name}", total=len(cases), unit="shopper") as bar:
        ranks, lists = rank(
            scorer, cases, list_length=max(_list_cutoffs(config)), batch_size=batch_size, bar=bar
        )
    seconds = time.perf_counter() - started

    result = measure(scorer.name, cases, ranks, lists, config, item_vectors=item_vectors, seed=seed)
    return dataclasses.replace(result, seconds=seconds)


def measure(
    name: str,
    cases: Cases,
    ranks: np.ndarray,
    lists: np.ndarray,
    config: EvaluationConfig,
    *,
    item_vectors: np.ndarray | None = None,
    seed: int = 0,
) -> Result:
    """Computes every metric from what `rank` returns.

    Args:
        name: the model's name.
        cases: the cases.
        ranks: int64 `[num_targets]`, the rank of every target.
        lists: int32 `[num_cases, list_length]`, the lists; metrics of lists are measured at the
            cutoffs up to their length.
        config: cutoffs, bootstrap samples, and what a new item is.
        item_vectors: as in `evaluate`.
        seed: seed of the bootstrap.
    """
    per_case = accuracy(ranks, cases.target_offsets, config.cutoffs)
    metrics, intervals = summarise(per_case, samples=config.bootstrap_samples, seed=seed)
    for k in (cutoff for cutoff in _list_cutoffs(config) if cutoff <= lists.shape[1]):
        top = lists[:, :k]
        metrics[f"coverage@{k}"] = coverage(top, cases.num_items)
        metrics[f"gini@{k}"] = gini(top, cases.num_items)
        metrics[f"novelty@{k}"] = _mean(novelty(top, cases.train_events))
        if item_vectors is not None and k > 1:
            metrics[f"diversity@{k}"] = _mean(intra_list_diversity(top, item_vectors))
    return Result(
        name=name,
        split=cases.split,
        repeats=cases.repeats,
        cases=len(cases),
        dropped=cases.dropped,
        indices=cases.indices,
        ranks=ranks,
        metrics=metrics,
        intervals=intervals,
        per_case=per_case,
        slices=slices_of(cases, ranks, config, seed=seed),
        seconds=0.0,
        bootstrap_samples=config.bootstrap_samples,
        seed=seed,
    )


def _list_cutoffs(config: EvaluationConfig) -> list[int]:
    return [k for k in config.cutoffs if k <= LONGEST_LIST] or [min(config.cutoffs)]


def rank(
    scorer: Scorer,
    cases: Cases,
    *,
    list_length: int = 0,
    batch_size: int | None = None,
    bar: "tqdm | None" = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks the catalogue for every case.

    Args:
        scorer: the model.
        cases: the cases.
        list_length: length of the lists to keep; 0 for none.
        batch_size: as in `evaluate`.
        bar: progress bar to advance by the number of cases.

    Returns:
        int64 `[num_targets]`, the rank of every target as `metrics.target_ranks` defines it,
        and int32 `[num_cases, list_length]`, the lists as `lists.top_lists` defines them.

    Raises:
        UserError: if the model gives NaN or infinite scores.
        ValueError: if the model's scores have the wrong shape.
    """
    width = cases.num_items + 1
    if batch_size is None:
        batch_size = max(1, min(_LARGEST_BATCH, _CELLS_AT_ONCE // width))
    ranks = np.empty(len(cases.target_item), dtype=np.int64)
    lists = np.zeros((len(cases), list_length), dtype=np.int32)
    buffer = np.empty((min(batch_size, len(cases)), width), dtype=np.float32)
    for rows in batches_by_length(cases.histories.lengths, batch_size):
        batch = cases.select(rows)
        scores = buffer[: len(rows)]
        _copy_checked(scorer.score(batch.histories), scores, scorer.name)
        if cases.repeats == "exclude":
            scores[batch.histories.owner, batch.histories.item] = -np.inf
        _, targets = ragged_rows(cases.target_offsets[rows], cases.target_offsets[rows + 1])
        ranks[targets] = target_ranks(scores, batch.target_offsets, batch.target_item)
        if list_length:
            lists[rows] = top_lists(scores, list_length)
        if bar is not None:
            bar.update(len(rows))
    return ranks, lists


def _copy_checked(scores: np.ndarray, buffer: np.ndarray, name: str) -> None:
    """Copies a model's scores to a buffer that may be masked, if they are usable."""
    if scores.shape != buffer.shape:
        raise ValueError(
            f"`{name}.score` should return shape {buffer.shape} [num_shoppers, num_items + 1]. "
            f"Received: shape {scores.shape}"
        )
    np.copyto(buffer, scores, casting="same_kind")
    buffer[:, 0] = -np.inf
    bad = np.isnan(buffer) | np.isposinf(buffer)
    if bad.any():
        raise UserError(
            f"the model `{name}` gave scores that are not numbers (NaN or infinite) for "
            f"{np.count_nonzero(bad.any(axis=1))} of {len(buffer)} shoppers; its training has "
            "probably diverged, so train it again with a smaller learning rate"
        )


def _mean(values: np.ndarray) -> float:
    """Returns the mean of the values that are defined; NaN when none is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
