"""What an export is made of, whether it comes from a run or from an earlier export."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfrec.config import ExperimentConfig
from tfrec.models.recommender import Ranker
from tfrec.models.retrieval import RetrievalModel
from tfrec.monitoring.drift.reference import Reference
from tfrec.training.profiles import PROFILES
from tfrec.training.surfaces import SURFACES

Example = dict[str, Any]
"""A value for every input that a signature may have, without the batch dimension."""


@dataclass(frozen=True)
class Exportable:
    """Trained models with their items.

    Attributes:
        config: the configuration; its section `data` is the one that made the items, and holds no
            salt.
        items: the item table; row `r` is item index `r + 1`.
        text_vectors: float32 `[num_items, text_dimension]`.
        retrieval: the retrieval model over these items.
        ranker: the ranking model over them.
        retrieval_folder: the trained retrieval model's files, of a run or of an earlier export.
        ranking_folder: those of the ranking model.
        examples: requests for the warm-up records.
        origin: where all this comes from, for the provenance file.
        reference: statistics of the traffic that the models are made for; None where they are not
            known.
    """

    config: ExperimentConfig
    items: pd.DataFrame
    text_vectors: np.ndarray
    retrieval: RetrievalModel
    ranker: Ranker
    retrieval_folder: Path
    ranking_folder: Path
    examples: list[Example]
    origin: dict[str, Any]
    reference: Reference | None = None

    @property
    def surfaces_folder(self) -> Path:
        """Where the surfaces lie, if any were fitted: beside the retrieval model."""
        return self.retrieval_folder.parent / SURFACES

    @property
    def profiles_folder(self) -> Path:
        """Where what portraits are drawn with lies, if any were: beside the retrieval model."""
        return self.retrieval_folder.parent / PROFILES
