"""Makes training examples of an event log: lists with labels, propensities and histories."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfrec.config import FeedbackConfig, SurfaceConfig
from tfrec.feedback.examples import LABEL_PREFIX, FeedbackExamples
from tfrec.feedback.exploration import ranks_of, shown_chances
from tfrec.feedback.joining import Joined, ShownList, join
from tfrec.feedback.position_bias import Examination, estimate_examination, score_groups
from tfrec.monitoring.live.event_log import LogLine

REJECT_COLUMNS = ("kind", "reason", "received", "user", "recommendation_id", "item_id", "event")


def make_examples(
    lines: Iterable[LogLine],
    config: FeedbackConfig,
    surface: SurfaceConfig,
    *,
    by_score: bool,
    since: float | None = None,
    bad_lines: int = 0,
) -> FeedbackExamples:
    """Turns a log into examples.

    Args:
        lines: the log.
        config: window, labels, robots.
        surface: the display order that made the lists, for the propensities.
        by_score: whether the lists' order is that of their scores but for the surface's
            `exploration_share`, so that propensities that the log lacks can be computed.
        since: lists served before, in unix seconds, are histories only; None for none.
        bad_lines: lines of the log that could not be read.
    """
    joined = join(lines, config, since=since)
    kept = [shown for shown in joined.lists if shown.rejected is None]
    rows = [_row(joined, shown, config, surface, by_score=by_score) for shown in kept]
    table = pd.DataFrame(rows, columns=_columns(config))
    warnings = []
    examination = _examination(table, config)
    if examination is None:
        warnings.append(
            f"no item was the object of a {config.events[0]}, so all places count as looked at "
            "alike"
        )
    else:
        table["examination"] = [
            examination.at(positions).astype(np.float32) for positions in table["position"]
        ]
        unknown = np.flatnonzero(~examination.known) + 1
        if len(unknown):
            warnings.append(
                f"too little was clicked to tell how often {len(unknown)} places are looked at "
                f"(from place {unknown[0]} on); they count like the last known one before them"
            )
    return FeedbackExamples(
        table,
        _rejects(joined),
        {"lists": dict(joined.list_counts), "events": dict(joined.event_counts)},
        {
            event: int(sum(labels.sum() for labels in table[LABEL_PREFIX + event]))
            for event in config.events
        },
        examination,
        bad_lines,
        warnings,
    )


def _columns(config: FeedbackConfig) -> list[str]:
    return [
        "recommendation_id", "user", "time", "model_version", "variant",
        "item_id", "position", "score", "rank", "propensity", "examination",
        *[LABEL_PREFIX + event for event in config.events],
        "history_item_id", "history_event", "history_timestamp",
    ]  # fmt: skip


def _row(
    joined: Joined,
    shown: ShownList,
    config: FeedbackConfig,
    surface: SurfaceConfig,
    *,
    by_score: bool,
) -> dict[str, Any]:
    served = shown.served
    places = joined.places(shown, config.places)
    names = [item for item, _ in places]
    index = [served.item_ids.index(item) for item in names]
    history = joined.history(shown)
    scores = _aligned(served.scores, len(served.item_ids))
    return {
        "recommendation_id": served.recommendation_id,
        "user": served.user,
        "time": served.received,
        "model_version": served.model_version,
        "variant": served.variant,
        "item_id": names,
        "position": np.array([place for _, place in places], np.int32),
        "score": scores[index],
        "rank": np.where(np.isnan(scores), -1, ranks_of(scores, surface.places)).astype(np.int32)[
            index
        ],
        "propensity": _propensities(shown, scores, surface if by_score else None)[index],
        "examination": np.ones(len(names), np.float32),
        **{
            LABEL_PREFIX + event: np.isin(names, sorted(shown.happened.get(event, ())))
            for event in config.events
        },
        "history_item_id": [event.item_id for event in history],
        "history_event": [event.event for event in history],
        "history_timestamp": np.array([int(event.time) for event in history], np.int64),
    }


def _aligned(values: list[float] | None, length: int) -> np.ndarray:
    """Returns float32 `[length]`; NaN where a list has none, or not one an item."""
    if values is None or len(values) != length:
        return np.full(length, np.nan, np.float32)
    return np.asarray(values, dtype=np.float32)


def _propensities(
    shown: ShownList, scores: np.ndarray, surface: SurfaceConfig | None
) -> np.ndarray:
    """Returns float32 `[items]`: the impression's own, else the list's, else what chance makes."""
    served = shown.served
    found = _aligned(served.propensities, len(served.item_ids))
    if surface is not None and np.isnan(found).all() and not np.isnan(scores).any():
        found = shown_chances(
            scores, surface.depth, surface.places, surface.exploration_share
        ).astype(np.float32)
    for place, item in enumerate(served.item_ids):
        impression = shown.impressions.get(item)
        if impression is not None and impression.propensity is not None:
            found[place] = impression.propensity
    return found


def _examination(table: pd.DataFrame, config: FeedbackConfig) -> Examination | None:
    if not len(table):
        return None
    flat: Mapping[str, np.ndarray] = {
        name: np.concatenate(table[name].tolist())
        for name in ("item_id", "position", "score", LABEL_PREFIX + config.events[0])
    }
    clicked = flat[LABEL_PREFIX + config.events[0]].astype(bool)
    if not clicked.any():
        return None
    versions, _ = pd.factorize(np.repeat(table["model_version"], table["item_id"].str.len()))
    # Items that a model of unknown scores put somewhere are compared with themselves elsewhere.
    scored = not np.isnan(flat["score"]).any()
    groups = (
        score_groups(flat["score"], clicked, versions)
        if scored
        else pd.factorize(flat["item_id"])[0]
    )
    return estimate_examination(flat["position"], clicked, groups, falling=config.falling)


def _rejects(joined: Joined) -> pd.DataFrame:
    lists = [
        ("list", shown.rejected, shown.served.received, shown.served.user,
         shown.served.recommendation_id, None, shown.served.event)
        for shown in joined.lists
        if shown.rejected is not None
    ]  # fmt: skip
    events = [
        ("event", reason, event.received, event.user, event.recommendation_id, event.item_id,
         event.event)
        for event, reason in joined.event_rejects
    ]  # fmt: skip
    return pd.DataFrame(lists + events, columns=list(REJECT_COLUMNS))
