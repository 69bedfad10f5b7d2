"""What the models of a run would have shown in the place of logged lists."""

import numpy as np
import pandas as pd

from tfrec.feedback.comparison import NewOrders
from tfrec.models.asking import ask
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
    answers = ask(
        recommender,
        feedback_histories(table, run.dataset),
        count=min(surface.depth, recommender.candidates),
        hide_history=run.config.evaluation.repeats == "exclude",
        description="New lists",
    )
    names = np.concatenate([[""], run.dataset.items["item_id"].to_numpy(np.str_)])
    return NewOrders(names[answers.items], answers.values.astype(np.float64), surface)
