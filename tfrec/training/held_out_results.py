"""The results of a ranking model on held-out candidate lists, measured as everywhere else."""

from typing import Literal

import numpy as np

from tfrec.config import EvaluationConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.evaluation.cases import Cases, NoCasesError
from tfrec.evaluation.lists import top_lists
from tfrec.evaluation.metrics import NEVER_SHOWN, case_of_target
from tfrec.evaluation.protocol import measure
from tfrec.evaluation.result import Result
from tfrec.training.candidate_lists import CandidateLists

CUTOFF = 10
NAMES: dict[bool, Literal["count", "exclude"]] = {False: "count", True: "exclude"}


class HeldOutMode:
    """The held-out lists of one way of counting repeats, as cases of an evaluation.

    Args:
        dataset: the prepared data set.
        shoppers: int64 `[num_shoppers]`, positions in the split `valid` of the held-out shoppers.
        lists: their lists, of all ways of counting repeats.
        excluding: which of the ways.
        new_item_events: an item is new up to so many events in training.

    Attributes:
        cases: shoppers with a target.

    Raises:
        NoCasesError: if no shopper has a target.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        shoppers: np.ndarray,
        lists: CandidateLists,
        excluding: bool,
        new_item_events: int,
    ) -> None:
        self._config = EvaluationConfig(
            cutoffs=[CUTOFF],
            repeats=NAMES[excluding],
            bootstrap_samples=1,
            new_item_events=new_item_events,
        )
        self.cases = Cases.of(dataset, "valid", self._config, subset=shoppers)
        own = np.flatnonzero(lists.excluding == excluding)
        row_of_shopper = np.full(len(shoppers), -1)
        row_of_shopper[lists.shopper[own]] = own
        self._rows = row_of_shopper[np.searchsorted(shoppers, self.cases.indices)]
        self._items = lists.items[self._rows]
        # Which candidates are targets does not change, so it is looked up once.
        width = self.cases.num_items + 1
        wanted = case_of_target(self.cases.target_offsets) * width + self.cases.target_item
        offered = np.arange(len(self._rows))[:, np.newaxis] * width + self._items
        place = np.minimum(np.searchsorted(wanted, offered), len(wanted) - 1)
        found = (wanted[place] == offered) & (self._items > 0)
        self._found_case, self._found_column = np.nonzero(found)
        self._found_target = place[found]

    def result(self, values: np.ndarray) -> Result:
        """Returns accuracy and slices of the lists when ordered by value.

        Equal values count against the model, and what is not on a list is never shown.

        Args:
            values: float32 `[lists, num_candidates]`, minus infinity for padding.
        """
        own = values[self._rows]
        ranks = np.full(len(self.cases.target_item), NEVER_SHOWN)
        target = own[self._found_case, self._found_column]
        better = own[self._found_case] >= target[:, np.newaxis]
        ranks[self._found_target] = np.count_nonzero(better, axis=1)
        return measure("ranking", self.cases, ranks, self._top(values, self._rows), self._config)

    def top(self, values: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Returns int32 `[positions, 10]`, the first items of the lists of some cases, 0 pads."""
        return self._top(values, self._rows[positions], positions)

    def _top(
        self, values: np.ndarray, rows: np.ndarray, positions: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        own = values[rows]
        # Columns from 1, as column 0 is no candidate.
        columns = top_lists(np.pad(own, ((0, 0), (1, 0))), CUTOFF)
        items = np.pad(self._items[positions], ((0, 0), (1, 0)))
        return np.take_along_axis(items, columns, axis=1)


def held_out_modes(
    dataset: PreparedDataset, shoppers: np.ndarray, lists: CandidateLists, new_item_events: int
) -> list[HeldOutMode]:
    """Returns the ways of counting repeats that the lists were made for and that have targets.

    Args: those of `HeldOutMode`.
    """
    modes = []
    for excluding in sorted({bool(each) for each in lists.excluding}):
        try:
            modes.append(HeldOutMode(dataset, shoppers, lists, excluding, new_item_events))
        except NoCasesError:
            continue
    return modes
