"""Makes the reference statistics that go with an export."""

import numpy as np
import tensorflow as tf

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories
from tfrec.export.bundle import Bundle
from tfrec.export.merging import MergedItems
from tfrec.models.asking import Answers, ask
from tfrec.models.recommender import Recommender
from tfrec.monitoring.drift.item_profile import ItemProfile
from tfrec.monitoring.drift.reference import (
    SECONDS_PER_DAY,
    Calibration,
    Reference,
    ReferenceStatistics,
    quantiles,
    usual_windows,
)
from tfrec.monitoring.live.served import PLACES
from tfrec.training.loading import TrainedRun

SHOPPERS = 500


def reference_of(run: TrainedRun, config: ExperimentConfig) -> Reference:
    """Describes the last part of the log, and what the models show to some of its shoppers.

    The shoppers are those of the test period, with their histories up to it, so that what they
    went on to take says how well the probabilities are calibrated.

    Args:
        run: the trained run; it has a ranking model.
        config: its sections `display`, `evaluation` and `export` are used.
    """
    dataset = run.dataset
    item, event, timestamp = dataset.logged_events()
    last = int(timestamp.max(initial=0))
    recent = timestamp > last - config.export.reference_days * SECONDS_PER_DAY
    item, event, timestamp = item[recent], event[recent], timestamp[recent]
    counts = np.bincount(item, minlength=dataset.num_items + 1)[1:]
    by_type = np.bincount(event, minlength=len(dataset.event_types) + 1)[1:]
    histories = dataset.histories("test")
    some = np.linspace(0, len(histories) - 1, min(SHOPPERS, len(histories))).round().astype(int)
    histories = histories.select(np.unique(some))
    recommender = run.recommender(config.display)
    assert recommender is not None, "an export has a ranking model"
    answers = _answers(recommender, histories, dataset, config)
    shown = answers.items > 0
    profile = ItemProfile.of(
        dataset.items,
        run.text_vectors,
        counts,
        np.bincount(answers.items[shown], minlength=dataset.num_items + 1)[1:],
        run.retrieval.spec.vector_sizes,
    )
    statistics = ReferenceStatistics(
        first=int(timestamp.min()) if last else None,
        last=last or None,
        events={
            name: int(count)
            for name, count in zip(dataset.event_types, by_type, strict=True)
            if count
        },
        usual=usual_windows(profile, item - 1, timestamp) if last else {},
        history_lengths=quantiles(histories.lengths),
        scores=quantiles(answers.values[shown]),
        calibration=_calibration(answers, histories, dataset),
    )
    return Reference(statistics, profile)


def carried_over(bundle: Bundle, merged: MergedItems, vectors: np.ndarray) -> Reference | None:
    """Returns the reference of an export for its refreshed items, or None if it has none.

    Args:
        bundle: the export.
        merged: the known items in their old order, then the new ones.
        vectors: float32 `[num_items, text_dimension]`.
    """
    before = Reference.open(bundle.path.parent.parent)
    if before is None:
        return None
    new = len(merged.frame) - len(before.items)
    profile = ItemProfile.of(
        merged.frame,
        vectors,
        np.pad(before.items.events, (0, new)),
        np.pad(before.items.served, (0, new)),
        before.items.columns,
    )
    return Reference(before.statistics, profile)


def _answers(
    recommender: Recommender,
    histories: Histories,
    dataset: PreparedDataset,
    config: ExperimentConfig,
) -> Answers:
    """Returns the first items that each shopper is shown."""
    return ask(
        recommender,
        histories,
        count=min(PLACES, recommender.candidates),
        hide_history=config.evaluation.repeats == "exclude",
        available=tf.constant(np.append(False, dataset.items["available"].to_numpy(bool))),
        description="Asking for the reference",
    )


def _calibration(
    answers: Answers, histories: Histories, dataset: PreparedDataset
) -> dict[str, Calibration]:
    """Returns for each target event how often it was expected of shown items and how often seen."""
    shown = answers.items > 0
    if not shown.any():
        return {}
    # A pair (shopper, item) as one number.
    width = dataset.num_items + 1
    pairs = (np.arange(len(histories))[:, np.newaxis] * width + answers.items)[shown]
    came = histories.target_owner * width + histories.target_item
    found = {}
    for index in dataset.target_event_indices:
        event = dataset.event_types[index - 1]
        found[event] = Calibration(
            shown=len(pairs),
            mean_probability=float(answers.probabilities[event][shown].mean()),
            observed=float(np.isin(pairs, came[histories.target_event == index]).mean()),
        )
    return found
