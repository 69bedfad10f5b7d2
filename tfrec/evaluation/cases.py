"""The cases of an evaluation: which shoppers, and what they should be shown."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tfrec.config import EvaluationConfig
from tfrec.data.records import Histories, no_targets
from tfrec.errors import UserError

if TYPE_CHECKING:
    from tfrec.data.dataset import PreparedDataset


class NoCasesError(UserError):
    """Nobody is left whom a model could be evaluated on."""


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
    histories: Histories
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

    def select(self, positions: np.ndarray) -> "Cases":
        """Returns the cases at `positions` (int `[num_selected]`), in that order."""
        sizes = np.diff(self.target_offsets)[positions]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        first = np.repeat(self.target_offsets[positions] - offsets[:-1], sizes)
        return dataclasses.replace(
            self,
            indices=self.indices[positions],
            histories=self.histories.select(positions),
            target_offsets=offsets,
            target_item=self.target_item[first + np.arange(offsets[-1])],
            new_shopper=self.new_shopper[positions],
        )

    @classmethod
    def of(
        cls,
        dataset: "PreparedDataset",
        split: str,
        config: EvaluationConfig,
        *,
        subset: np.ndarray | None = None,
    ) -> "Cases":
        """Makes the cases of a split, as `of_histories` does.

        Args:
            dataset: the prepared data set.
            split: ``"valid"`` or ``"test"``.
            config: its `repeats` is used.
            subset: positions in the split to evaluate; None for all.

        Raises:
            NoCasesError: if no shopper has a target.
            UserError: if the split does not exist, or has no targets by design.
        """
        if split == "train":
            raise UserError(
                "the split `train` has no targets to evaluate against; choose `valid` or `test`"
            )
        histories = dataset.histories(split)
        if subset is None:
            return cls.of_histories(histories, dataset, split, config.repeats)
        chosen = np.asarray(subset)
        cases = cls.of_histories(histories.select(chosen), dataset, split, config.repeats)
        return dataclasses.replace(cases, indices=chosen[cases.indices])

    @classmethod
    def of_histories(
        cls,
        histories: Histories,
        dataset: "PreparedDataset",
        split: str,
        repeats: Literal["count", "exclude"],
    ) -> "Cases":
        """Makes the cases of some shoppers, whose positions among these are the `indices`.

        Targets are the distinct items with an event of a target type in the split's period.
        With ``repeats="exclude"``, items that the shopper already had an event with are no
        targets, and shoppers left without a target are dropped.

        Args:
            histories: the shoppers, with their targets.
            dataset: the prepared data set.
            split: ``"valid"`` or ``"test"``, what they are cases of.
            repeats: as in `EvaluationConfig`.

        Raises:
            NoCasesError: if no shopper has a target.
        """
        width = dataset.num_items + 1
        case = histories.target_owner
        wanted = np.isin(histories.target_event, dataset.target_event_indices)
        # A pair (case, item) as one number: unique() then sorts and removes duplicates at once.
        pairs = np.unique(case[wanted] * width + histories.target_item[wanted])
        if repeats == "exclude":
            seen = histories.owner * width + histories.item
            pairs = pairs[~np.isin(pairs, seen)]
        counts = np.bincount(pairs // width, minlength=len(histories))
        kept = np.flatnonzero(counts)
        if len(kept) == 0:
            raise NoCasesError(
                f"the split `{split}` has no shopper with a target to evaluate "
                f"(repeats={repeats}, {len(histories)} shoppers)"
            )
        known = np.unique(dataset.histories("train").user)
        dropped = len(histories) - len(kept)
        histories = _without_targets(histories.select(kept))
        return cls(
            split=split,
            repeats=repeats,
            indices=kept,
            histories=histories,
            target_offsets=np.concatenate([[0], np.cumsum(counts[kept])]),
            target_item=(pairs % width).astype(np.int32),
            new_shopper=~np.isin(histories.user, known),
            train_events=dataset.items["train_events"].to_numpy(dtype=np.int64),
            dropped=dropped,
        )


def _without_targets(histories: Histories) -> Histories:
    """Returns the histories with every shopper's targets removed, so that no model can peek."""
    return dataclasses.replace(histories, **no_targets(len(histories)))
