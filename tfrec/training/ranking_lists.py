"""The candidate lists of a training of the ranking model, which a resumed one finds again."""

from pathlib import Path

import numpy as np

from tfrec.config import RankingConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories
from tfrec.models.recommender import Ranker, Retriever
from tfrec.training.candidate_lists import CandidateLists
from tfrec.training.feedback_lists import feedback_lists
from tfrec.training.own_lists import ListGroup, ListMaker
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
    """
    folder = run.path / LISTS
    groups = {HOLDOUT: ListGroup(held_out, 0, False), NEW_ITEMS: ListGroup(held_out, 0, True)}
    # Examples come first, as those that do not fit are refused; the shop's own lists take long.
    if config.feedback.examples is not None and not (folder / FEEDBACK).exists():
        shown = feedback_lists(dataset, retriever, ranker, config, seed=run.seed)
        shown.save(folder / FEEDBACK)
    if TRAIN in trained_on(config):
        groups[TRAIN] = ListGroup(~held_out, config.popularity_negatives, False)
    missing = {name: group for name, group in groups.items() if not (folder / name).exists()}
    if missing:
        maker = ListMaker(dataset, retriever, ranker, config)
        for name, lists in maker.make_groups(histories, missing, seed=run.seed).items():
            lists.save(folder / name)


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
