"""Evaluation: metrics, the protocol, baselines, reports."""

from tfrec.evaluation.baselines import ItemKNN, Popularity, TextKNN
from tfrec.evaluation.cases import Cases
from tfrec.evaluation.probabilities import probability_figures
from tfrec.evaluation.protocol import Scorer, evaluate, rank
from tfrec.evaluation.report import Report
from tfrec.evaluation.result import Difference, Result, SliceResult
from tfrec.evaluation.tuning import tuned_baselines

__all__ = [
    "Cases",
    "Difference",
    "ItemKNN",
    "Popularity",
    "Report",
    "Result",
    "Scorer",
    "SliceResult",
    "TextKNN",
    "evaluate",
    "probability_figures",
    "rank",
    "tuned_baselines",
]
