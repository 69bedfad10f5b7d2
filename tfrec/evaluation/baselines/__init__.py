"""Baselines that stand in every evaluation table."""

from tfrec.evaluation.baselines.item_knn import ItemKNN
from tfrec.evaluation.baselines.popularity import Popularity
from tfrec.evaluation.baselines.text_knn import TextKNN

__all__ = ["ItemKNN", "Popularity", "TextKNN"]
