"""The view that comes first: charts that say together whether a run is healthy."""

from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar

from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import View
from tfrec.monitoring.training.observer import TrainingStart

# Charts by category, and in each chart regular expressions of tags.
CHARTS: dict[str, dict[str, list[str]]] = {
    "1 Is the run healthy?": {
        "loss: falls, then flattens": ["loss/all$"],
        "validation NDCG@10: rises, then flattens": [r"validation/ndcg@10$"],
        "gradient norm: steady, no spikes": ["gradient_norm/all$"],
        "scores: bought well above others": ["scores/mean_.*"],
        "share of the catalogue shown: does not collapse": [r"lists_.*/coverage@10$"],
        "waiting for input: near 0 but for the start of an epoch": ["speed/input_wait_share$"],
    },
    "2 Who profits?": {
        "NDCG@10 by item, repeats counted": [r"slices_with_repeats/ndcg@10/items_.*"],
        "NDCG@10 by shopper, repeats counted": [r"slices_with_repeats/ndcg@10/[hs].*"],
        "NDCG@10 by item, new to the shopper": [r"slices_new_to_shopper/ndcg@10/items_.*"],
        "NDCG@10 by shopper, new to the shopper": [r"slices_new_to_shopper/ndcg@10/[hs].*"],
    },
    "3 Are the probabilities right?": {
        "AUC of each event: rises": ["task_auc/.*"],
        "predicted over observed: near 1": ["task_calibration/predicted_over_observed_.*"],
        "calibration error: near 0": ["task_calibration/error_.*"],
        "parts of the loss": ["loss/(?!all$).*"],
    },
    "4 What moves?": {
        "gradient norm by part": ["gradient_norm/(?!all$).*"],
        "weight norm by part": ["weight_norm/.*"],
        "embedding norms": ["embedding_norm/mean_.*"],
        "similarity of items: pairs stay near 0": ["similarity/mean_.*"],
        "text tower: drift": ["text_drift/.*"],
        "learning rate": ["optimiser/learning_rate$"],
    },
    "5 How fast?": {
        "examples a second": ["speed/examples_per_second$"],
        "seconds of a validation": ["speed/validation_seconds$"],
        "memory in MiB": ["speed/memory_mib$"],
        "share of time spent on these charts": ["speed/share_of_monitoring$"],
    },
}


class LayoutView(View):
    """Writes the layout of the dashboard Custom Scalars.

    Args:
        log: where to write.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def training_started(self, start: TrainingStart) -> None:
        """Writes the layout."""
        self._log.summaries([custom_scalar.pb(layout())], 0)


def layout() -> layout_pb2.Layout:
    """Returns `CHARTS` as TensorBoard's message."""
    return layout_pb2.Layout(
        category=[
            layout_pb2.Category(
                title=title,
                chart=[
                    layout_pb2.Chart(
                        title=name, multiline=layout_pb2.MultilineChartContent(tag=tags)
                    )
                    for name, tags in charts.items()
                ],
            )
            for title, charts in CHARTS.items()
        ]
    )
