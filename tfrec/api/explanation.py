"""Explains a score: what it would be without each item of the history."""

import numpy as np
import pandas as pd

from tfrec.api.local_models import LocalModels
from tfrec.api.questions import AskedHistory
from tfrec.errors import UserError
from tfrec.explaining.explanation import Explanation, tried_items
from tfrec.progress import progress

_BATCH = 32


def explain(models: LocalModels, item_id: str, history: AskedHistory) -> Explanation:
    """Returns what the score of an item would be without each item of the history.

    One item after the other is left out with all of its events and the ranking model asked again
    (leave one out, as in the occlusion of Zeiler and Fergus, 2014). Effects need not add up to the
    score: items that say the same stand in for each other.

    Args:
        models: the models.
        item_id: the item to explain.
        history: the shopper's history.

    Raises:
        UserError: if the item is not in the catalogue.
    """
    if not models.known([item_id]):
        raise UserError(f"the item {item_id} is not in the catalogue; check the id")
    tried = tried_items(history.items, set(models.known(history.items)))
    scores = _scores(models, item_id, [history, *(history.without(item) for item in tried)])
    dates = [_date(timestamp) for timestamp in history.timestamps]
    return Explanation.of(
        item_id,
        list(zip(history.items, history.events, dates, strict=True)),
        dict(zip(tried, scores[1:], strict=True)),
        scores[0],
        {item: models.title(item) for item in [item_id, *tried]},
        _words(models, item_id, history),
    )


def _scores(models: LocalModels, item_id: str, histories: list[AskedHistory]) -> np.ndarray:
    batches = [histories[start : start + _BATCH] for start in range(0, len(histories), _BATCH)]
    parts = []
    for batch in progress(batches, description="Explaining", unit="batch"):
        inputs = models.history_inputs(batch)
        inputs["candidate_item_id"] = [[item_id]] * len(batch)
        parts.append(models.ask("ranking", "serving_default", inputs)["score"][:, 0])
    return np.concatenate(parts).astype(np.float64)


def _words(models: LocalModels, item_id: str, history: AskedHistory) -> list[str]:
    """Returns the words that the answer to this history names for the item, if it is in it."""
    inputs = {**models.history_inputs([history]), "exclude_item_id": [[""]]}
    outputs = models.ask("recommender", "serving_default", inputs)
    for shown, words in zip(outputs["item_id"][0], outputs["reason_words"][0], strict=True):
        if shown == item_id:
            return [str(word) for word in words if word]
    return []


def _date(timestamp: int) -> str:
    return f"{pd.Timestamp(timestamp, unit='s'):%Y-%m-%d}" if timestamp > 0 else ""
