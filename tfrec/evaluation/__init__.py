"""Evaluation: metrics, the protocol, baselines, reports."""

from tfrec.evaluation.baselines import ItemKNN, Popularity, TextKNN
from tfrec.evaluation.protocol import Cases, Scorer, evaluate
from tfrec.evaluation.report import Report
from tfrec.evaluation.result import Difference, Result, SliceResult

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
]
