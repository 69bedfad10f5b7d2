"""The candidate lists of a training of the ranking model, which a resumed one finds again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfrec.config import RankingConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories
from tfrec.models.recommender import Ranker, Retriever
from tfrec.training.arrivals import MOST_EVENTS, arrivals
from tfrec.training.candidate_lists import CandidateLists
from tfrec.training.feedback_lists import feedback_lists
from tfrec.training.own_lists import ListMaker
from tfrec.training.run import RunDirectory

LISTS = "lists"
TRAIN, HOLDOUT, NEW_ITEMS, FEEDBACK = "train", "holdout", "new_items", "feedback"
"""To train on, held out, held out with items that are pretended to be new, and of feedback."""


def make_lists(
    run: RunDirectory,
    dataset: PreparedDataset,
    histories: Histories,
    held_out: np.ndarray,
    retriever: Retriever,
    ranker: Ranker,
    config: RankingConfig,
    *,
    pretending: bool,
) -> None:
    """Makes the lists that are not in the run's folder yet; `read_lists` reads them.

    Args:
        run: the run.
        dataset: the prepared data set.
        histories: the validation shoppers.
        held_out: bool `[shoppers]`, those that the model never trains on.
        retriever: the first stage.
        ranker: describes the candidates.
        config: of the ranking model.
        pretending: whether to make the lists with items that are pretended to be new, too.
    """
    folder, maker = run.path / LISTS, ListMaker(dataset, retriever, ranker, config)

    def keep(name: str, make: Callable[[], CandidateLists]) -> None:
        if not (folder / name).exists():
            make().save(folder / name)

    # Examples come first, as those that do not fit are refused; the shop's own lists take long.
    if config.feedback.examples is not None:
        keep(FEEDBACK, lambda: feedback_lists(dataset, retriever, ranker, config, seed=run.seed))
    if TRAIN in trained_on(config):
        keep(
            TRAIN, lambda: lists_to_train_on(histories, ~held_out, dataset, maker, config, run.seed)
        )
    some = histories.select(np.flatnonzero(held_out))
    keep(HOLDOUT, lambda: maker.make(some, seed=run.seed, negatives=0))
    if pretending:
        keep(NEW_ITEMS, lambda: maker.make_pretending(some, seed=run.seed))


def lists_to_train_on(
    histories: Histories,
    members: np.ndarray,
    dataset: PreparedDataset,
    maker: ListMaker,
    config: RankingConfig,
    seed: int,
) -> CandidateLists:
    """Returns the lists of some shoppers, and of a share of them as if they had come just now.

    A split tells of what follows on whole histories alone. Without the latter the model would not
    know what to make of a new shopper, or of a visit that has begun.

    Args:
        histories: the validation shoppers.
        members: bool `[shoppers]`, whose lists.
        dataset: the prepared data set.
        maker: makes lists.
        config: of the ranking model.
        seed: seed of negatives, of who comes just now, and with how many events.
    """
    rows = np.flatnonzero(members)
    some, negatives = histories.select(rows), config.popularity_negatives
    lists = maker.make(some, seed=seed, negatives=negatives)
    random = np.random.default_rng(seed)
    drawn = np.sort(random.permutation(len(rows))[: round(config.arrivals * len(rows))])
    lengths = random.integers(1, MOST_EVENTS + 1, len(drawn))
    arrived, place = arrivals(some.select(drawn), lengths, dataset.target_event_indices)
    if not len(arrived):
        return lists
    more = maker.make(arrived, seed=seed, negatives=negatives)
    more = replace(more, shopper=drawn[place][more.shopper])
    return CandidateLists.joined([lists, more])


def trained_on(config: RankingConfig) -> list[str]:
    """Returns the names of the lists that a configuration trains on."""
    if config.feedback.examples is None:
        return [TRAIN]
    return [TRAIN, FEEDBACK] if config.feedback.mode == "beside" else [FEEDBACK]


def read_lists(folder: Path, name: str, events: list[str]) -> CandidateLists:
    """Reads lists that were made for a ranking model.

    Args:
        folder: of the ranking model.
        name: `TRAIN`, `HOLDOUT`, `NEW_ITEMS` or `FEEDBACK`.
        events: event types that the model has a head for.
    """
    return CandidateLists.load(folder / LISTS / name, events)
