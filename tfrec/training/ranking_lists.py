"""The candidate lists of a training of the ranking model, which a resumed one finds again."""

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
TRAIN, HOLDOUT, FEEDBACK = "train", "holdout", "feedback"


def training_lists(
    run: RunDirectory,
    dataset: PreparedDataset,
    histories: Histories,
    held_out: np.ndarray,
    retriever: Retriever,
    ranker: Ranker,
    config: RankingConfig,
) -> tuple[CandidateLists, CandidateLists]:
    """Returns the lists to train on and those held out; makes what is not in the run's folder.

    Args:
        run: the run.
        dataset: the prepared data set.
        histories: the validation shoppers.
        held_out: bool `[shoppers]`, those that the model never trains on.
        retriever: the first stage.
        ranker: describes the candidates.
        config: of the ranking model.
    """
    folder, events = run.path / LISTS, ranker.model.events
    groups = {HOLDOUT: (held_out, 0)}
    names = []
    if config.feedback.examples is None or config.feedback.mode == "beside":
        groups[TRAIN] = (~held_out, config.popularity_negatives)
        names.append(TRAIN)
    # Examples come first, as those that do not fit are refused; the shop's own lists take long.
    if config.feedback.examples is not None:
        names.append(FEEDBACK)
        if not (folder / FEEDBACK).exists():
            shown = feedback_lists(dataset, retriever, ranker, config, seed=run.seed)
            shown.save(folder / FEEDBACK)
    missing = {name: group for name, group in groups.items() if not (folder / name).exists()}
    if missing:
        maker = ListMaker(dataset, retriever, ranker, config)
        for name, lists in maker.make_groups(histories, missing, seed=run.seed).items():
            lists.save(folder / name)
    train = CandidateLists.joined([read_lists(run.path, name, events) for name in names])
    return train, read_lists(run.path, HOLDOUT, events)


def read_lists(folder: Path, name: str, events: list[str]) -> CandidateLists:
    """Reads lists of a ranking model.

    Args:
        folder: of the ranking model.
        name: `TRAIN`, `HOLDOUT` or `FEEDBACK`.
        events: event types that the model has a head for.
    """
    return CandidateLists.load(folder / LISTS / name, events)
