"""How a retrieval model is validated while it trains."""

from typing import Literal

import numpy as np

from tfrec.config import EvaluationConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.evaluation.cases import Cases, NoCasesError
from tfrec.evaluation.protocol import Scorer, evaluate
from tfrec.evaluation.result import Result
from tfrec.models.retrieval import RetrievalModel
from tfrec.models.scorers import RetrievalScorer

VALIDATION_SHOPPERS = 4000
VALIDATION_BATCH = 256


class RetrievalValidation:
    """Scores a model on a fixed sample of validation shoppers.

    The score is NDCG@10. Where re-purchases count it is the geometric mean of NDCG@10 with them
    and of NDCG@10 on items that are new to the shopper: re-purchases are the easier hits by far,
    and would else decide alone when a model is at its best.

    Args:
        model: the model, which may be trained on between the calls.
        dataset: the prepared data set.
        config: whether re-purchases count, and what a new item is.
        seed: seed of the sample.

    Attributes:
        results: everything that the last call measured, one result a way of counting repeats; the
            last one counts them as `config` does.
        modes: settings and cases for each way of counting repeats.
        cases: the cases of that last result.
        scorer: scores all cases.
        watched: scores the cases of that last result; an observer may put itself in its place.

    Raises:
        NoCasesError: if no shopper of the sample has a target.
    """

    def __init__(
        self,
        model: RetrievalModel,
        dataset: PreparedDataset,
        config: EvaluationConfig,
        seed: int,
    ) -> None:
        count = len(dataset.histories("valid"))
        sample = np.sort(np.random.default_rng(seed).permutation(count)[:VALIDATION_SHOPPERS])
        modes: list[Literal["count", "exclude"]] = ["exclude"]
        if config.repeats == "count":
            modes.append("count")
        self._dataset = dataset
        self.modes: list[tuple[EvaluationConfig, Cases]] = []
        for mode in modes:
            settings = EvaluationConfig(
                cutoffs=[10],
                repeats=mode,
                bootstrap_samples=1,
                new_item_events=config.new_item_events,
            )
            try:
                cases = Cases.of(dataset, "valid", settings, subset=sample)
            except NoCasesError:
                if mode == config.repeats:
                    raise
                continue  # Nobody there buys anything new, so re-purchases alone are the measure.
            self.modes.append((settings, cases))
        self.scorer = RetrievalScorer(model)
        self.watched: Scorer = self.scorer
        self.results: list[Result] = []

    @property
    def cases(self) -> Cases:
        """The cases that repeats are counted in as the configuration says."""
        return self.modes[-1][1]

    def __call__(self) -> dict[str, float]:
        """Returns the score, and then NDCG@10 for every way of counting repeats."""
        self.scorer.refresh()
        self.results = [
            evaluate(
                self.watched if cases is self.cases else self.scorer,
                self._dataset,
                "valid",
                settings,
                cases=cases,
                batch_size=VALIDATION_BATCH,
            )
            for settings, cases in self.modes
        ]
        figures = {
            f"ndcg@10/{result.repeats}": result.metrics["ndcg@10"] for result in self.results
        }
        return {"ndcg@10": float(np.prod(list(figures.values())) ** (1 / len(figures))), **figures}
