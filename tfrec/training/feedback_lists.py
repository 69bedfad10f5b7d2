"""Candidate lists of what shoppers were shown, from examples of `tfrec feedback labels`."""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.config import RankingConfig, RankingFeedbackConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories, no_targets
from tfrec.errors import UserError
from tfrec.feedback.examples import LABEL_PREFIX, load_examples
from tfrec.models.graphs import OpenGraph
from tfrec.models.recommender import Ranker, Retriever
from tfrec.progress import progress
from tfrec.towers.histories import pad_histories
from tfrec.training.candidate_lists import SHOPPERS_A_BATCH, CandidateLists, holdout_shoppers


def feedback_lists(
    dataset: PreparedDataset,
    retriever: Retriever,
    ranker: Ranker,
    config: RankingConfig,
    *,
    seed: int,
) -> CandidateLists:
    """Describes the lists of the examples as the ranking model sees candidates.

    Left out are lists of shoppers that validation holds out, lists whose labels may be targets of
    the test, and items that the data set does not know. A history is what the data set and the
    log know of the shopper before the list.

    Args:
        dataset: the prepared data set.
        retriever: the first stage.
        ranker: describes the candidates.
        config: where the examples are, what counts as a label, and how many lists at most.
        seed: of the choice of lists where there are more.

    Raises:
        UserError: if there are no examples, or none that could be learned from.
    """
    feedback = config.feedback
    assert feedback.examples is not None, "whoever calls this has examples"
    table = load_examples(feedback.examples)
    sources = label_columns(table.columns, ranker.model.target_events, feedback)
    if ranker.model.return_event:
        name = LABEL_PREFIX + ranker.model.return_event
        sources[ranker.model.return_event] = [name] if name in table else []
    table = _for_training(table, dataset, config, seed)
    histories = feedback_histories(table, dataset)
    index = dataset.item_index()
    items, columns = _padded(
        [[index.get(item, 0) for item in row] for row in table["item_id"]],
        {name: table[name] for name in {"examination", *chain.from_iterable(sources.values())}},
    )
    present = items > 0
    if not present.any():
        raise UserError(
            f"none of the items of {feedback.examples} is in the data set; use the examples of a "
            "shop with the same item ids"
        )
    labels = {
        event: np.max([columns[name] > 0 for name in names], axis=0, initial=False) & present
        if names
        else np.zeros(items.shape, bool)
        for event, names in sources.items()
    }
    examination = np.ones(items.shape, np.float32)
    if feedback.position_bias:
        least = 1.0 / feedback.most_weight
        examination = np.where(present, np.clip(columns["examination"], least, 1.0), 1.0)
    targets = np.max([labels[event] for event in ranker.model.target_events], axis=0)
    return CandidateLists(
        items=items,
        shopper=np.arange(len(table)),
        excluding=np.zeros(len(table), bool),
        features=_described(histories, items, retriever, ranker, config),
        present=present.astype(np.float32),
        retrieved=present.astype(np.float32),
        labels={event: values.astype(np.float32) for event, values in labels.items()},
        targets=targets.sum(axis=1).astype(np.int64),
        sales=ranker.features.sales.numpy()[items],
        new_targets=np.zeros(len(table), np.int64),
        examination=examination.astype(np.float32),
    )


def label_columns(
    columns: Sequence[str], target_events: Sequence[str], feedback: RankingFeedbackConfig
) -> dict[str, list[str]]:
    """Returns the columns whose labels count for each target event.

    Args:
        columns: of the examples.
        target_events: of the ranking model.
        feedback: which labels count for which event; by default those of the same name.

    Raises:
        UserError: if a label or an event is not there, or nothing counts for anything.
    """
    there = [name.removeprefix(LABEL_PREFIX) for name in columns if name.startswith(LABEL_PREFIX)]
    for event, names in feedback.labels.items():
        if event not in target_events:
            raise UserError(
                f"ranking.feedback.labels names the event `{event}`, which is no target event of "
                f"the data set; those are {', '.join(target_events)}"
            )
        for name in names:
            if name not in there:
                raise UserError(
                    f"ranking.feedback.labels.{event} names `{name}`, of which "
                    f"{feedback.examples} has no label; it has {', '.join(there)}"
                )
    chosen = {
        event: [
            LABEL_PREFIX + name
            for name in feedback.labels.get(event, [event] if event in there else [])
        ]
        for event in target_events
    }
    if not any(chosen.values()):
        raise UserError(
            f"the examples in {feedback.examples} have labels of {', '.join(there)} and the data "
            f"set has the target events {', '.join(target_events)}; say in ranking.feedback.labels "
            f"what counts, such as {{{target_events[0]}: [{', '.join(there)}]}}"
        )
    return chosen


def feedback_histories(table: pd.DataFrame, dataset: PreparedDataset) -> Histories:
    """Returns what is known of each list's shopper before the list, without targets.

    A shopper has the same hash in the data set and in the log where both have the same salt; then
    his events of the data set come first, and what both know counts once. Events of items or kinds
    that the data set does not know are skipped.

    Args:
        table: examples.
        dataset: the prepared data set.
    """
    log = dataset.whole_log()
    row_of = {user: row for row, user in enumerate(log.user.tolist())}
    items, kinds = dataset.item_index(), {name: i for i, name in enumerate(dataset.event_types, 1)}
    events: list[list[tuple[int, int, int]]] = []
    for row in table.itertuples():
        known: list[tuple[int, int, int]] = []
        place = row_of.get(row.user)
        if place is not None:
            where = log.history(place)
            own = zip(
                log.timestamp[where].tolist(),
                log.item[where].tolist(),
                log.event[where].tolist(),
                strict=True,
            )
            known = [event for event in own if event[0] < row.time]
        there = set(known)
        told = zip(row.history_timestamp, row.history_item_id, row.history_event, strict=True)
        later = [
            (int(time), items[item], kinds[event])
            for time, item, event in told
            if item in items and event in kinds
        ]
        known += [event for event in later if event not in there]
        events.append(sorted(known, key=lambda event: event[0]))
    sizes = [len(each) for each in events]
    flat = np.array([event for each in events for event in each], np.int64).reshape(-1, 3)
    return Histories(
        user=table["user"].fillna("").to_numpy(np.str_),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        item=flat[:, 1].astype(np.int32),
        event=flat[:, 2].astype(np.int32),
        timestamp=flat[:, 0],
        value=np.ones(len(flat), np.float32),
        context={name: np.zeros(len(flat), np.int32) for name in dataset.context_columns},
        **no_targets(len(table)),
    )


def _for_training(
    table: pd.DataFrame, dataset: PreparedDataset, config: RankingConfig, seed: int
) -> pd.DataFrame:
    """Returns the lists that may be trained on, at most `max_shoppers` of them."""
    validated, tested = dataset.histories("valid"), dataset.histories("test")
    held_out = set(validated.user[holdout_shoppers(validated, config.holdout)].tolist())
    # What a shopper did after a list may be what the test asks for.
    last = {
        user: int(tested.target_timestamp[tested.targets(row)].max())
        for row, user in enumerate(tested.user.tolist())
        if tested.target_offsets[row + 1] > tested.target_offsets[row]
    }
    asked = table["time"].to_numpy() <= table["user"].map(last).fillna(-np.inf).to_numpy()
    table = table[~table["user"].isin(held_out) & ~asked].reset_index(drop=True)
    if not len(table):
        raise UserError(
            f"no list of {config.feedback.examples} may be trained on: their shoppers are held out "
            "for validation, or what they did is what the test asks for; use newer lists"
        )
    if len(table) > config.max_shoppers:
        drawn = np.random.default_rng(seed).permutation(len(table))[: config.max_shoppers]
        table = table.iloc[np.sort(drawn)].reset_index(drop=True)
    return table


def _padded(
    items: list[list[int]], columns: Mapping[str, pd.Series]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns items and columns `[lists, longest]`, padded with 0."""
    lengths = np.array([len(row) for row in items])
    inside = np.arange(max(lengths.max(initial=0), 1)) < lengths[:, np.newaxis]
    padded = np.zeros(inside.shape, np.int32)
    padded[inside] = [item for row in items for item in row]
    others = {}
    for name, rows in columns.items():
        others[name] = np.zeros(inside.shape, np.float32)
        if len(items):
            others[name][inside] = np.concatenate(rows.tolist())
    return padded, others


def _described(
    histories: Histories,
    items: np.ndarray,
    retriever: Retriever,
    ranker: Ranker,
    config: RankingConfig,
) -> np.ndarray:
    longest = max(retriever.model.config.max_history, config.max_history)
    scores_of, describe = OpenGraph(retriever.scores), OpenGraph(ranker.describe)
    parts = []
    starts = range(0, len(items), SHOPPERS_A_BATCH)
    for start in progress(list(starts), description="Feedback lists", unit="batch"):
        rows = np.arange(start, min(start + SHOPPERS_A_BATCH, len(items)))
        history = pad_histories(histories.select(rows), longest)
        candidates = tf.constant(items[rows], tf.int64)
        parts.append(describe(history, candidates, scores_of(history)).numpy())
    return np.concatenate(parts)
