"""How a ranking model is validated while it trains."""

import numpy as np
import tensorflow as tf

from tfrec.errors import UserError
from tfrec.models.ranking import RankingModel
from tfrec.training.candidate_lists import CandidateLists

NDCG_CUTOFF = 10
LISTS_AT_ONCE = 512
TRUST = (0.25, 0.5, 0.75, 1.0)


class RankingValidation:
    """Measures NDCG@10 of the final score on held-out lists, and sets the model's trust by it.

    A purchase that was sent back is worth what the return penalty leaves of it, as in the score:
    where much is returned, the best model would else be one that knows nothing of returns.

    Args:
        model: the model, which may be trained on between the calls.
        holdout: the lists.

    Attributes:
        logits: float32 `[lists, num_candidates]` an event, of the last call.
        values: float32 `[lists, num_candidates]`, the values of the last call, what new items are
            worth left out; minus infinity for padding.
        quality: float64 `[judged]`, the NDCG@10 of every list with a target, of the last call.
        gain: float32 `[lists, num_candidates]`, what showing each candidate was worth.

    Raises:
        UserError: if no list has a target.
    """

    def __init__(self, model: RankingModel, holdout: CandidateLists) -> None:
        self._model = model
        self._holdout = holdout
        gain = np.max([holdout.labels[event] for event in model.target_events], axis=0)
        if model.return_event:
            gain = gain * (1.0 - model.config.return_penalty * holdout.labels[model.return_event])
        self.gain = gain
        judged_lists = np.count_nonzero(holdout.targets)
        if not judged_lists:
            raise UserError(
                "none of the held-out shoppers has a target to rank for with "
                f"ranking.repeats: {model.config.repeats}; set ranking.repeats to count, or "
                "prepare the data with more data.valid_days"
            )
        self.logits: dict[str, np.ndarray] = {}
        self.values = np.zeros(holdout.items.shape, np.float32)
        self.quality = np.zeros(judged_lists)

    def __call__(self) -> dict[str, float]:
        """Returns the best score, and gives the model the trust in its corrections that has it."""
        scores = {}
        for trust in TRUST:
            self._model.trust.assign(trust)
            scores[trust] = self.measure()
        best = max(scores, key=lambda trust: scores[trust])
        if best != trust:
            self._model.trust.assign(best)
            self.measure()
        return {"ndcg@10": scores[best]}

    def measure(self) -> float:
        """Returns the score of the model as it is."""
        model, holdout = self._model, self._holdout
        self.logits = predict(model, holdout)
        logits = {event: tf.constant(values) for event, values in self.logits.items()}
        values = model.scores(model.probabilities(logits)).numpy()
        self.values = np.where(holdout.present > 0, values, -np.inf)
        self.quality = lists_ndcg(first_places(self.values), self.gain, holdout.targets)
        return float(np.mean(self.quality))


def first_places(values: np.ndarray) -> np.ndarray:
    """Returns int64 `[lists, 10]`, which candidates come first; of equal ones the first one does.

    Args:
        values: float `[lists, num_candidates]`, what candidates are ordered by.
    """
    return np.argsort(-values, axis=1, kind="stable")[:, :NDCG_CUTOFF]


def lists_ndcg(order: np.ndarray, gain: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns NDCG@10 of the lists with a target, float64 `[judged]`.

    Args:
        order: from `first_places`.
        gain: float32 `[lists, num_candidates]`, what showing each candidate was worth.
        targets: int64 `[lists]`, how many there were, retrieved or not.
    """
    discount = 1.0 / np.log2(np.arange(NDCG_CUTOFF) + 2.0)
    gained = np.take_along_axis(gain, order, axis=1) @ discount[: order.shape[1]]
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    judged_lists = targets > 0
    quality: np.ndarray = (
        gained[judged_lists] / ideal[np.minimum(targets[judged_lists], NDCG_CUTOFF)]
    )
    return quality


def predict(model: RankingModel, lists: CandidateLists) -> dict[str, np.ndarray]:
    """Returns the logits float32 `[lists, num_candidates]` of every event."""
    batches = [
        model(tf.constant(lists.features[start : start + LISTS_AT_ONCE]))
        for start in range(0, len(lists.features), LISTS_AT_ONCE)
    ]
    return {
        event: np.concatenate([batch[event].numpy() for batch in batches]) for event in model.events
    }


def judged(model: RankingModel, lists: CandidateLists, event: str) -> np.ndarray:
    """Returns bool `[lists, num_candidates]`: the examples that an event's probability is for.

    Retrieved candidates; for the return event those of them that were bought.
    """
    kept = lists.retrieved > 0
    if event == model.return_event:
        kept &= np.max([lists.labels[target] for target in model.target_events], axis=0) > 0
    return kept
