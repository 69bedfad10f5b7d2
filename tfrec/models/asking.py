"""Asks a recommender for many shoppers at once."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.data.records import Histories, batches_by_length
from tfrec.models.graphs import OpenGraph
from tfrec.models.recommender import Recommender, Shown
from tfrec.progress import progress
from tfrec.towers.histories import History, pad_histories

SHOPPERS_A_BATCH = 64


class Answers(NamedTuple):
    """What shoppers are shown, `[shoppers, count]`, best first.

    Attributes:
        items: int64, 0 where there are too few.
        values: float32, as `Shown` has them.
        probabilities: float32 an event.
    """

    items: np.ndarray
    values: np.ndarray
    probabilities: dict[str, np.ndarray]


def padded(
    recommender: Recommender, histories: Histories, *, hide_history: bool
) -> tuple[History, tf.Tensor]:
    """Returns histories as a recommender reads them, and the items that it must not show.

    Args:
        recommender: the two stages.
        histories: those of the shoppers.
        hide_history: whether a shopper is shown nothing of what he had, however long ago.

    Returns:
        The last events that either stage reads, and int64 `[shoppers, count]`, 0 for none.
    """
    history = pad_histories(
        histories,
        max(
            recommender.retriever.model.config.max_history,
            recommender.ranker.model.config.max_history,
        ),
    )
    if not hide_history:
        return history, tf.zeros([len(histories), 1], tf.int64)
    longest = max(int(histories.lengths.max(initial=0)), 1)
    return history, pad_histories(histories, longest)["item"]


def ask(
    recommender: Recommender,
    histories: Histories,
    *,
    count: int,
    hide_history: bool,
    available: tf.Tensor | None = None,
    description: str = "Asking the recommender",
) -> Answers:
    """Returns what every shopper is shown, in the order of `histories`.

    Args:
        recommender: the two stages, and the display order if there is one.
        histories: those of the shoppers.
        count: items each, the number of candidates at most.
        hide_history: as in `padded`.
        available: bool `[num_items + 1]`, items that may be shown to anyone; `None` for all.
        description: name on the progress bar.
    """
    events = recommender.ranker.model.events
    answers = Answers(
        np.zeros((len(histories), count), np.int64),
        np.zeros((len(histories), count), np.float32),
        {event: np.zeros((len(histories), count), np.float32) for event in events},
    )

    def show(history: History, hidden: tf.Tensor) -> Shown:
        return recommender.show(history, hidden, available, count=count)

    graph = OpenGraph(show)
    batches = batches_by_length(histories.lengths, SHOPPERS_A_BATCH)
    for rows in progress(batches, description=description, unit="batch"):
        shown = graph(*padded(recommender, histories.select(rows), hide_history=hide_history))
        answers.items[rows] = shown.items.numpy()
        answers.values[rows] = shown.values.numpy()
        for event, values in answers.probabilities.items():
            values[rows] = shown.probabilities[event].numpy()
    return answers
