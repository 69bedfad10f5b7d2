"""The candidate lists of a training of the ranking model, which a resumed one finds again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfrec.config import RankingConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories
from tfrec.models.recommender import Ranker, Retriever
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

    def own(members: np.ndarray, negatives: int) -> CandidateLists:
        some = histories.select(np.flatnonzero(members))
        return maker.make(some, seed=run.seed, negatives=negatives)

    # Examples come first, as those that do not fit are refused; the shop's own lists take long.
    if config.feedback.examples is not None:
        keep(FEEDBACK, lambda: feedback_lists(dataset, retriever, ranker, config, seed=run.seed))
    if TRAIN in trained_on(config):
        keep(TRAIN, lambda: own(~held_out, config.popularity_negatives))
    keep(HOLDOUT, lambda: own(held_out, 0))
    if pretending:
        some = histories.select(np.flatnonzero(held_out))
        keep(NEW_ITEMS, lambda: maker.make_pretending(some, seed=run.seed))


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
