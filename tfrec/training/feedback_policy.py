"""What the models of a run would have shown in the place of logged lists."""

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.feedback.comparison import NewOrders
from tfrec.progress import progress
from tfrec.towers.histories import pad_histories
from tfrec.training.candidate_lists import SHOPPERS_A_BATCH
from tfrec.training.feedback_lists import feedback_histories
from tfrec.training.loading import TrainedRun


def orders_of_run(run: TrainedRun, table: pd.DataFrame) -> NewOrders:
    """Returns the display order of a run for the shoppers of examples, as they were then.

    Chance is left aside; what is hidden is what the run's evaluation and exported models hide.

    Args:
        run: a run with a ranking model.
        table: examples.
    """
    surface = run.config.display
    certain = surface.model_copy(update={"exploration_share": 0.0})
    recommender = run.recommender(certain)
    assert recommender is not None, "whoever calls this has checked"
    histories = feedback_histories(table, run.dataset)
    longest = max(run.retrieval.config.max_history, run.config.ranking.max_history)
    count = min(surface.depth, recommender.candidates)
    hide = run.config.evaluation.repeats == "exclude"
    names = np.concatenate([[""], run.dataset.items["item_id"].to_numpy(np.str_)])

    @tf.function(reduce_retracing=True)
    def show(history: dict[str, tf.Tensor], hidden: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shown = recommender.show(history, hidden, count=count)
        return shown.items, shown.values

    items, scores = [], []
    starts = range(0, len(table), SHOPPERS_A_BATCH)
    for start in progress(list(starts), description="New lists", unit="batch"):
        rows = np.arange(start, min(start + SHOPPERS_A_BATCH, len(table)))
        history = pad_histories(histories.select(rows), longest)
        hidden = history["item"] if hide else tf.zeros([len(rows), 1], tf.int64)
        shown, values = show(history, hidden)
        items.append(names[shown.numpy()])
        scores.append(values.numpy().astype(np.float64))
    return NewOrders(np.concatenate(items), np.concatenate(scores), surface)
