"""Fits how much the counted parts of a retrieval model, memory and trend, say beside the towers."""

from dataclasses import dataclass

import numpy as np
import scipy.optimize

from tfrec.config import EvaluationConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import batches_by_length
from tfrec.evaluation.cases import Cases
from tfrec.evaluation.metrics import case_of_target
from tfrec.evaluation.tuning import tune_item_knn, tuning_cases
from tfrec.models.retrieval import RetrievalModel
from tfrec.models.scorers import RetrievalScorer
from tfrec.progress import progress, write_line
from tfrec.training.retrieval_validation import VALIDATION_BATCH, RetrievalValidation

CELLS = 20_000_000
"""At most so many scores of each part are held in memory; more shoppers are thinned out."""
SMALLEST_SCALE = 0.05
PENALTY = 1e-3
HIDDEN = np.float32(-1e9)


def add_counted_parts(
    model: RetrievalModel,
    dataset: PreparedDataset,
    config: EvaluationConfig,
    validate: RetrievalValidation,
    seed: int,
) -> float:
    """Counts a trained model's memory and trend, and gives them weights fitted on validation.

    The few weights maximise the likelihood of what the validation shoppers chose under a softmax
    over the catalogue, as the towers' do, every shopper counting alike. They are kept if NDCG
    rises with them.

    Args:
        model: the model that `validate` measures; its parts are counted before the validation
            period.
        dataset: the prepared data set.
        config: how repeats count.
        validate: measures the model, and holds the cases.
        seed: seed of the draw of validation shoppers.

    Returns:
        The validation score with the weights that were kept.
    """
    if model.memory is not None:
        model.neighbourhood = tune_item_knn(dataset, tuning_cases(dataset, config, seed=seed))
    model.count(dataset.log_before("valid"))
    before = _first(validate())
    parts = [_Scored.of(model, validate.scorer, cases) for _, cases in validate.modes]
    scale, memory, trend = _most_likely(parts)
    # The order of the items depends on ratios alone; the towers' part stays as it is.
    _set_weights(model, memory / scale, trend * float(model.temperature) / scale)
    after = _first(validate())
    if after < before:
        _set_weights(model, 0.0, np.zeros_like(trend))
    write_line(f"{_described(model)}: validation NDCG@10 {before:.4f} -> {max(after, before):.4f}")
    return max(after, before)


@dataclass(frozen=True)
class _Scored:
    """The cases of one way of counting repeats, with what every part says.

    Attributes:
        towers: float32 `[cases, num_items]`, logits.
        memory: float32 `[cases, num_items]`, logits under a weight of 1; or `None`.
        log_sales: float32 `[num_items, windows]`; no windows without a trend.
        share: float32 `[cases, num_items]`, each target's share of its case; 0 elsewhere.
        hidden: bool `[cases, num_items]`, items that are masked; or `None`.
    """

    towers: np.ndarray
    memory: np.ndarray | None
    log_sales: np.ndarray
    share: np.ndarray
    hidden: np.ndarray | None

    @classmethod
    def of(cls, model: RetrievalModel, scorer: RetrievalScorer, cases: Cases) -> "_Scored":
        most = max(1, CELLS // cases.num_items)
        if len(cases) > most:
            cases = cases.select(np.linspace(0, len(cases) - 1, most).astype(np.int64))
        windows = 0 if model.trend is None else model.trend.windows
        _set_weights(model, 0.0, np.zeros(windows, np.float32))
        temperature = float(model.temperature)
        towers = _scores(scorer, cases) / temperature
        memory = None
        if model.memory is not None:
            _set_weights(model, 1.0, np.zeros(windows, np.float32))
            memory = _scores(scorer, cases) / temperature - towers
        log_sales = np.zeros((cases.num_items, 0), np.float32)
        if model.trend is not None:
            log_sales = model.trend.log_sales.numpy()[1:]
        share = np.zeros_like(towers)
        owner = case_of_target(cases.target_offsets)
        share[owner, cases.target_item - 1] = 1.0 / np.diff(cases.target_offsets)[owner]
        hidden = None
        if cases.repeats == "exclude":
            hidden = np.zeros(towers.shape, bool)
            histories = cases.histories
            hidden[histories.owner, histories.item - 1] = True
        return cls(towers, memory, log_sales, share, hidden)

    def loss(self, scale: float, memory: float, trend: np.ndarray) -> tuple[float, np.ndarray]:
        """Returns the mean cross-entropy over cases, and its gradient by the parameters."""
        logits = np.float32(scale) * self.towers
        if self.memory is not None:
            logits += np.float32(memory) * self.memory
        logits += (self.log_sales @ trend).astype(np.float32)
        if self.hidden is not None:
            logits[self.hidden] = HIDDEN
        logits -= logits.max(axis=1, keepdims=True)
        picked = float(np.sum(self.share * logits))
        np.exp(logits, out=logits)
        total = logits.sum(axis=1, keepdims=True)
        loss = float(np.log(total).sum()) - picked
        slope = logits / total - self.share
        count = len(self.towers)
        by_memory = 0.0 if self.memory is None else float(np.vdot(slope, self.memory))
        by_trend = slope.sum(axis=0) @ self.log_sales
        gradient = np.array([float(np.vdot(slope, self.towers)), by_memory, *by_trend])
        return loss / count, gradient / count


def _most_likely(parts: list[_Scored]) -> tuple[float, float, np.ndarray]:
    windows = parts[0].log_sales.shape[1]
    start = np.array([1.0, 0.0, *np.zeros(windows)])
    with progress(description="Weights of memory and trend", unit="step") as bar:

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = PENALTY * float(parameters @ parameters), 2 * PENALTY * parameters
            for part in parts:
                more, gradient = part.loss(parameters[0], parameters[1], parameters[2:])
                value, slope = value + more, slope + gradient
            bar.update(1)
            return value, slope

        # The layer takes no negative weight of the memory.
        bounds = [(SMALLEST_SCALE, None), (0.0, None), *[(None, None)] * windows]
        found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1]), found.x[2:].astype(np.float32)


def _scores(scorer: RetrievalScorer, cases: Cases) -> np.ndarray:
    scores = np.empty((len(cases), cases.num_items), np.float32)
    batches = batches_by_length(cases.histories.lengths, VALIDATION_BATCH)
    for rows in progress(batches, description="Scores of the parts", unit="batch"):
        scores[rows] = scorer.score(cases.histories.select(rows))[:, 1:]
    return scores


def _set_weights(model: RetrievalModel, memory: float, trend: np.ndarray) -> None:
    if model.memory is not None:
        model.memory.weight.assign(memory)
    if model.trend is not None:
        model.trend.weights_of_windows.assign(trend)


def _described(model: RetrievalModel) -> str:
    told = []
    if model.memory is not None:
        told.append(f"memory {model.memory.weight.numpy():.3f}")
    if model.trend is not None:
        weights = model.trend.weights_of_windows.numpy()
        for days, weight in zip(model.trend_windows, weights, strict=True):
            told.append(f"sales of {f'{days} days' if days else 'the whole log'} {weight:+.3f}")
    return ", ".join(told)


def _first(figures: dict[str, float]) -> float:
    return next(iter(figures.values()))
