"""Makes candidate lists of what the retrieval model finds for shoppers of the log."""

from dataclasses import replace

import numpy as np
import tensorflow as tf

from tfrec.config import RankingConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.log_statistics import LogStatistics
from tfrec.data.records import Histories
from tfrec.models.graphs import OpenGraph
from tfrec.models.recommender import Ranker, Retriever
from tfrec.progress import progress, without_bars
from tfrec.towers.histories import pad_histories
from tfrec.training.candidate_lists import SHOPPERS_A_BATCH, CandidateLists
from tfrec.training.pretended_items import DRAWS, draws_of_items


class ListMaker:
    """Retrieves candidates for shoppers, describes them, and labels them with what came.

    Items that training never sold are no candidates: where none of them is sold in the validation
    period either, a ranking model would learn that nobody wants what has no past, and where some
    are, that everybody does.

    Args:
        dataset: the prepared data set.
        retriever: the first stage.
        ranker: describes the candidates.
        config: how many candidates, and in which modes.
    """

    def __init__(
        self, dataset: PreparedDataset, retriever: Retriever, ranker: Ranker, config: RankingConfig
    ) -> None:
        self._dataset = dataset
        self._retriever = retriever
        self._ranker = ranker
        self._config = config
        self._scores, self._describe = OpenGraph(retriever.scores), OpenGraph(ranker.describe)
        self._train_events = np.concatenate([[0], dataset.items["train_events"].to_numpy(np.int64)])

    def make_pretending(self, histories: Histories, *, seed: int) -> CandidateLists:
        """Returns lists of shoppers each of whom meets a shop in which some items are new.

        There are `DRAWS` such shops, and in each another tenth of the sold items is new. Of items
        that are new in the validation period the log holds too few to tell from them what becomes
        of new items, and in a leave-one-out split none.

        Args:
            histories: shoppers with targets.
            seed: seed of which item is new to whom.
        """
        random = np.random.default_rng(seed)
        draw_of_item = draws_of_items(self._train_events, random)
        shop = random.permutation(len(histories)) % DRAWS
        parts = []
        try:
            for number in progress(range(DRAWS), description="Shops with new items", unit="shop"):
                rows, new = np.flatnonzero(shop == number), draw_of_item == number
                if not len(rows):
                    continue
                with self._retriever.model.id_offsets.pretending(new), without_bars():
                    self._know(new)
                    some = histories.select(rows)
                    part = self.make(some, seed=seed, negatives=0, pretended=new)
                parts.append(replace(part, shopper=rows[part.shopper]))
        finally:
            self._know(np.zeros(len(draw_of_item), bool))
        lists = CandidateLists.joined(parts)
        return lists.select(np.argsort(lists.shopper, kind="stable"))

    def make(
        self,
        histories: Histories,
        *,
        seed: int,
        negatives: int,
        pretended: np.ndarray | None = None,
    ) -> CandidateLists:
        """Returns one list a shopper and mode.

        Args:
            histories: shoppers with targets.
            seed: seed of the popularity-sampled negatives.
            negatives: how many of those a list.
            pretended: bool `[num_items + 1]`, items of which the models know as little as of new
                ones. The histories are told without them, and as nobody can have had what is new,
                they are neither candidates nor targets of shoppers who did. What is really new
                is no target then.
        """
        if pretended is None:
            pretended = np.zeros(len(self._train_events), bool)
        repeats = self._config.repeats
        modes = ["count", "exclude"] if repeats == "both" else [repeats]
        random = np.random.default_rng(seed)
        popularity = self._train_events**0.75
        popularity /= popularity.sum()
        depth = min(self._config.candidates, self._dataset.num_items)
        longest = max(self._retriever.model.config.max_history, self._config.max_history)
        sales = self._ranker.features.sales.numpy()
        parts: list[CandidateLists] = []
        starts = range(0, len(histories), SHOPPERS_A_BATCH)
        for start in progress(list(starts), description="Candidate lists", unit="batch"):
            shoppers = np.arange(start, min(start + SHOPPERS_A_BATCH, len(histories)))
            batch = histories.select(shoppers)
            history = pad_histories(batch.without_items(pretended), longest)
            scores = self._scores(history)
            for mode in modes:
                visible = scores.numpy().copy()
                visible[:, popularity == 0] = -np.inf
                hidden = (
                    np.full(len(batch.item), True) if mode == "exclude" else pretended[batch.item]
                )
                visible[batch.owner[hidden], batch.item[hidden]] = -np.inf
                top = np.argpartition(-visible, depth - 1, axis=1)[:, :depth]
                top = np.where(np.isfinite(np.take_along_axis(visible, top, 1)), top, 0)
                extra = random.choice(len(popularity), size=(len(batch), negatives), p=popularity)
                extra[np.isneginf(np.take_along_axis(visible, extra, 1))] = 0
                # A drawn item that is a candidate already, or was drawn before, would count twice.
                extra[(extra[:, :, None] == top[:, None, :]).any(axis=2)] = 0
                extra.sort(axis=1)
                extra[:, 1:][extra[:, 1:] == extra[:, :-1]] = 0
                candidates = np.concatenate([top, extra], axis=1).astype(np.int64)
                labels, targets, new = self._labels(batch, hidden, candidates, pretended)
                retrieved = np.zeros(candidates.shape, np.float32)
                retrieved[:, :depth] = top > 0
                parts.append(
                    CandidateLists(
                        candidates.astype(np.int32),
                        shoppers,
                        np.full(len(batch), mode == "exclude"),
                        self._describe(history, tf.constant(candidates), scores).numpy(),
                        (candidates > 0).astype(np.float32),
                        retrieved,
                        labels,
                        targets,
                        sales[candidates],
                        new,
                    )
                )
        return CandidateLists.joined(parts)

    def _know(self, left_out: np.ndarray) -> None:
        """Counts what both models know without the events of some items, bool `[num_items + 1]`.

        The weights of the towers stay, which learned from all.
        """
        log = self._dataset.log_before("valid").without_items(left_out)
        self._retriever.model.count(log)
        self._retriever.refresh()
        self._ranker.features.fill(LogStatistics.of(log, self._dataset, self._config.neighbours))

    def _labels(
        self, batch: Histories, hidden: np.ndarray, candidates: np.ndarray, pretended: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Returns the labels, and how many targets there are, and how many of them pretended new.

        Args:
            batch: the shoppers.
            hidden: bool `[events]`, events whose items are neither candidates nor targets.
            candidates: int64 `[shoppers, num_candidates]`.
            pretended: bool `[num_items + 1]`.
        """
        events, types = self._ranker.model.events, self._dataset.event_types
        labels = {event: np.zeros(candidates.shape, np.float32) for event in events}
        targets, new = np.zeros(len(batch), np.int64), np.zeros(len(batch), np.int64)
        for row in range(len(batch)):
            place, own = batch.targets(row), batch.history(row)
            items, kinds = batch.target_item[place], batch.target_event[place]
            wanted = items[np.isin(kinds, self._dataset.target_event_indices)]
            wanted = np.setdiff1d(wanted, batch.item[own][hidden[own]])
            if pretended.any():
                wanted = wanted[self._train_events[wanted] > 0]
            targets[row], new[row] = len(wanted), np.count_nonzero(pretended[wanted])
            for event in events:
                happened = items[kinds == types.index(event) + 1]
                labels[event][row] = np.isin(candidates[row], happened) & (candidates[row] > 0)
        return labels, targets, new
