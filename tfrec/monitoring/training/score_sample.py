"""Scores to look at, taken from those that a validation computes anyway."""

from typing import TYPE_CHECKING

import numpy as np

from tfrec.evaluation.cases import Cases
from tfrec.evaluation.lists import top_lists
from tfrec.evaluation.metrics import case_of_target
from tfrec.evaluation.protocol import Scorer

if TYPE_CHECKING:
    from tfrec.data.records import Histories

OTHERS_A_SHOPPER = 20


class ScoreSample:
    """Passes a scorer's scores on, and keeps a few of them.

    Kept are the scores of what shoppers bought, the scores of items drawn at random (the same at
    every validation), and the lists of chosen shoppers.

    Args:
        scorer: whose scores.
        cases: the cases that it will be asked about, in any order and in batches of any size.
        positions: positions in `cases` whose lists are kept.
        list_length: length of these lists.
        seed: seed of the draw of other items.

    Attributes:
        name: the scorer's.
        lists: int32 `[positions, list_length]`, best first, 0 pads.
        target_scores: float32 `[num_targets]`.
        other_scores: float32 `[num_cases, OTHERS_A_SHOPPER]`.
    """

    def __init__(
        self, scorer: Scorer, cases: Cases, positions: np.ndarray, list_length: int, seed: int
    ) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._cases = cases
        self._positions = positions
        self._place_of = {user: place for place, user in enumerate(cases.histories.user)}
        self._row_of = {int(place): row for row, place in enumerate(positions)}
        random = np.random.default_rng(seed)
        self._others = random.integers(1, cases.num_items + 1, (len(cases), OTHERS_A_SHOPPER))
        self.lists = np.zeros((len(positions), list_length), np.int32)
        self.target_scores = np.full(len(cases.target_item), np.nan, np.float32)
        self.other_scores = np.full(self._others.shape, np.nan, np.float32)

    def score(self, histories: "Histories") -> np.ndarray:
        """Returns what the scorer returns."""
        scores = self._scorer.score(histories)
        places = np.array([self._place_of[user] for user in histories.user], np.int64)
        rows = np.arange(len(places))
        self.other_scores[places] = scores[rows[:, np.newaxis], self._others[places]]
        offsets = self._cases.target_offsets
        counts = np.diff(offsets)[places]
        own = np.concatenate([[0], np.cumsum(counts)])
        row = case_of_target(own)
        target = np.arange(own[-1]) - own[row] + offsets[places][row]
        self.target_scores[target] = scores[row, self._cases.target_item[target]]
        for row_number, place in enumerate(places):
            kept = self._row_of.get(int(place))
            if kept is not None:
                self.lists[kept] = self._list(scores[row_number], int(place))
        return scores

    def _list(self, scores: np.ndarray, place: int) -> np.ndarray:
        if self._cases.repeats == "exclude":
            histories = self._cases.histories
            scores = scores.astype(np.float32)
            scores[histories.item[histories.history(place)]] = -np.inf
        return top_lists(scores[np.newaxis], self.lists.shape[1])[0]
