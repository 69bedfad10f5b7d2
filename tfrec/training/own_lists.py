"""Makes candidate lists of what the retrieval model finds for shoppers of the log."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.config import RankingConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.log_statistics import LogStatistics
from tfrec.data.records import Histories
from tfrec.models.graphs import OpenGraph
from tfrec.models.recommender import Ranker, Retriever
from tfrec.progress import progress
from tfrec.towers.histories import pad_histories
from tfrec.training.candidate_lists import SHOPPERS_A_BATCH, CandidateLists
from tfrec.training.pretended_items import DRAWS, draws_of_items

AS_IT_IS = -1
"""Number of the shop in which nothing is pretended."""


class ListGroup(NamedTuple):
    """Shoppers whose lists are made alike.

    Attributes:
        members: bool `[shoppers]`, who is in the group.
        negatives: popularity-sampled negatives in each list.
        pretended: whether every member meets a shop in which a tenth of the items is new.
    """

    members: np.ndarray
    negatives: int
    pretended: bool


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

    def make_groups(
        self, histories: Histories, groups: Mapping[str, ListGroup], *, seed: int
    ) -> dict[str, CandidateLists]:
        """Returns the lists of groups of shoppers.

        Of items that are new in the validation period the log holds too few to tell from them what
        becomes of new items, and in a leave-one-out split none. So some groups meet `DRAWS` other
        shops, in each of which another tenth of the sold items is new.

        Args:
            histories: shoppers with targets.
            groups: by name, whose lists to make, and how.
            seed: seed of the negatives, and of which item is new to whom.
        """
        parts: dict[str, list[CandidateLists]] = {name: [] for name in groups}
        random = np.random.default_rng(seed)
        shops = {name: _shop_of_members(group, random) for name, group in groups.items()}
        total = sum(len(shop) for shop in shops.values())
        with progress(total=total, description="Candidate lists", unit="shopper") as bar:
            for number, new in self._shops(np.unique(np.concatenate(list(shops.values()))), random):
                for name, group in groups.items():
                    rows = np.flatnonzero(shops[name] == number)
                    some = histories.select(np.flatnonzero(group.members)[rows])
                    made = self.make(
                        some,
                        seed=seed,
                        negatives=group.negatives,
                        pretended=new,
                        told=bar.update,
                    )
                    parts[name] += [replace(part, shopper=rows[part.shopper]) for part in made]
        lists = {name: CandidateLists.joined(made) for name, made in parts.items()}
        return {
            name: made.select(np.argsort(made.shopper, kind="stable"))
            for name, made in lists.items()
        }

    def make(
        self,
        histories: Histories,
        *,
        seed: int,
        negatives: int,
        pretended: np.ndarray | None = None,
        told: Callable[[int], object] = lambda _: None,
    ) -> list[CandidateLists]:
        """Returns lists in parts; together they have one a shopper and mode.

        Args:
            histories: shoppers with targets.
            seed: seed of the popularity-sampled negatives.
            negatives: how many of those a list.
            pretended: bool `[num_items + 1]`, items of which the models know as little as of new
                ones. The histories are told without them, and as nobody can have had what is new,
                they are neither candidates nor targets of shoppers who did.
            told: is told how many shoppers were done, batch by batch.
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
        for start in range(0, len(histories), SHOPPERS_A_BATCH):
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
                labels, targets, unsold = self._labels(batch, hidden, candidates, sales)
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
                        unsold,
                    )
                )
            told(len(batch))
        return parts

    def _shops(
        self, numbers: np.ndarray, random: np.random.Generator
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yields the number of each shop and what is new there, while both models know it so.

        In the shop `AS_IT_IS` that is nothing.

        What was counted before the validation period is counted without the events of these items,
        and their id offsets are taken for not learned. The other weights of the towers stay, which
        learned from all.
        """
        draw_of_item = draws_of_items(self._train_events, random)
        nothing = np.zeros(len(draw_of_item), bool)
        for number in numbers:
            new = draw_of_item == number if number != AS_IT_IS else nothing
            with self._retriever.model.id_offsets.pretending(new):
                if number != AS_IT_IS:
                    self._know(new)
                yield int(number), new
        if (numbers != AS_IT_IS).any():
            self._know(nothing)

    def _know(self, left_out: np.ndarray) -> None:
        log = self._dataset.log_before("valid").without_items(left_out)
        self._retriever.model.count(log)
        self._retriever.refresh()
        self._ranker.features.fill(LogStatistics.of(log, self._dataset, self._config.neighbours))

    def _labels(
        self, batch: Histories, hidden: np.ndarray, candidates: np.ndarray, sales: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Returns the labels, and how many targets there are, and how many of them unsold.

        Args:
            batch: the shoppers.
            hidden: bool `[events]`, events whose items are neither candidates nor targets.
            candidates: int64 `[shoppers, num_candidates]`.
            sales: float32 `[num_items + 1]`.
        """
        events, types = self._ranker.model.events, self._dataset.event_types
        labels = {event: np.zeros(candidates.shape, np.float32) for event in events}
        targets, unsold = np.zeros(len(batch), np.int64), np.zeros(len(batch), np.int64)
        for row in range(len(batch)):
            place, own = batch.targets(row), batch.history(row)
            items, kinds = batch.target_item[place], batch.target_event[place]
            wanted = items[np.isin(kinds, self._dataset.target_event_indices)]
            wanted = np.setdiff1d(wanted, batch.item[own][hidden[own]])
            targets[row], unsold[row] = len(wanted), np.count_nonzero(sales[wanted] == 0)
            for event in events:
                happened = items[kinds == types.index(event) + 1]
                labels[event][row] = np.isin(candidates[row], happened) & (candidates[row] > 0)
        return labels, targets, unsold


def _shop_of_members(group: ListGroup, random: np.random.Generator) -> np.ndarray:
    """Returns int `[members]`, the number of the shop that each member meets."""
    count = np.count_nonzero(group.members)
    return random.permutation(count) % DRAWS if group.pretended else np.full(count, AS_IT_IS)
