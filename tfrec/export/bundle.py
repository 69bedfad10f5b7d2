"""What goes with an exported retrieval model so that new items can be added without its run."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tfrec
from tfrec.config import ExperimentConfig, dump_config, load_stored_config
from tfrec.data.dataset import ITEMS
from tfrec.errors import UserError
from tfrec.export.exportable import Exportable
from tfrec.export.versions import versions_of
from tfrec.files import read_json, sha256_of_file, write_json
from tfrec.models.recommender import Ranker
from tfrec.models.retrieval import RetrievalModel
from tfrec.profiles.tables import ARRAYS, NAMES
from tfrec.progress import progress
from tfrec.training.profiles import PROFILES
from tfrec.training.ranking import ALIKE, FEATURES, STATISTICS, load_ranker
from tfrec.training.ranking import WEIGHTS as RANKING_WEIGHTS
from tfrec.training.retrieval import (
    NEIGHBOURHOOD,
    SPEC,
    VECTORS,
    load_retrieval,
    load_text_vectors,
)
from tfrec.training.retrieval import WEIGHTS as RETRIEVAL_WEIGHTS
from tfrec.training.run import CONFIG, RECORD
from tfrec.training.surfaces import FITTED, SURFACES

FOLDER = "assets.extra/tfrec"
CONTENT = "bundle.json"
EXAMPLES = "examples.json"
RETRIEVAL, RANKING = "retrieval", "ranking"
FORMAT = 1
_RETRIEVAL_FILES = (RECORD, SPEC, NEIGHBOURHOOD, f"{RETRIEVAL_WEIGHTS}.*")
_RANKING_FILES = (RECORD, FEATURES, STATISTICS, ALIKE, f"{RANKING_WEIGHTS}.*")
_SURFACES_FILES = (RECORD, FITTED, "*.npz")


@dataclass(frozen=True)
class Bundle:
    """A retrieval version's bundle.

    Attributes:
        path: its folder.
        version: the version that it belongs to.
        config: the configuration of the models; its section `data` made the data set.
        bert: fingerprint of the BERT that the texts were read with.
        origin: where the models come from.
    """

    path: Path
    version: int
    config: ExperimentConfig
    bert: str
    origin: dict[str, Any]

    @classmethod
    def open(cls, models: Path) -> "Bundle":
        """Opens the bundle of the newest retrieval version in a models folder.

        Raises:
            UserError: if there is no model or no bundle, or it is damaged.
        """
        if not models.is_dir():
            raise UserError(
                f"there is no models folder {models}; make it with `tfrec export --models {models}`"
            )
        versions = versions_of(models / RETRIEVAL)
        if not versions:
            raise UserError(
                f"there is no retrieval model in {models}; export one with "
                f"`tfrec export --models {models}`"
            )
        version, folder = list(versions.items())[-1]
        path = folder / FOLDER
        if not (path / CONTENT).is_file():
            raise UserError(
                f"{folder} has no {FOLDER}/{CONTENT}, so items cannot be added to it; copy the "
                "whole folder, or export the run again"
            )
        content = read_json(path / CONTENT)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise UserError(
                f"{path / CONTENT} is not of this version of tfrec (format {FORMAT}); export the "
                "run again"
            )
        _check_files(path, content["files"])
        config = load_stored_config(path / CONFIG)
        return cls(path, version, config, content["bert"], content["origin"])

    @property
    def retrieval_folder(self) -> Path:
        """The trained retrieval model, as in a run's folder."""
        return self.path / RETRIEVAL

    @property
    def ranking_folder(self) -> Path:
        """The trained ranking model, as in a run's folder."""
        return self.path / RANKING

    def items(self) -> pd.DataFrame:
        """Returns the item table."""
        return pd.read_parquet(self.path / ITEMS)

    def text_vectors(self) -> np.ndarray:
        """Returns float32 `[num_items, text_dimension]`, in the order of the item table."""
        return load_text_vectors(self.retrieval_folder)

    def load(self, items: pd.DataFrame, text_vectors: np.ndarray) -> tuple[RetrievalModel, Ranker]:
        """Returns the trained models over an item table.

        Args:
            items: the bundle's items in their order, and possibly further ones after them.
            text_vectors: float32 `[num_items, text_dimension]`.
        """
        retrieval = load_retrieval(self.retrieval_folder, self.config, items, text_vectors)
        return retrieval, load_ranker(self.ranking_folder, retrieval, self.config.ranking)

    def exportable(
        self, items: pd.DataFrame, text_vectors: np.ndarray, config: ExperimentConfig
    ) -> Exportable:
        """Returns the trained models over an item table, ready to be used or exported again.

        Args:
            items: as in `load`.
            text_vectors: as in `load`.
            config: the configuration to use them with.
        """
        retrieval, ranker = self.load(items, text_vectors)
        return Exportable(
            config=config,
            items=items,
            text_vectors=text_vectors,
            retrieval=retrieval,
            ranker=ranker,
            retrieval_folder=self.retrieval_folder,
            ranking_folder=self.ranking_folder,
            examples=read_json(self.path / EXAMPLES),
            origin=self.origin,
        )


def write_bundle(version_folder: Path, source: Exportable, bert: str) -> None:
    """Writes the bundle into a version of the retrieval model.

    Args:
        version_folder: the version's folder.
        source: what the version was made of.
        bert: fingerprint of the BERT that the texts were read with.
    """
    folder = version_folder / FOLDER
    copies = (
        (source.retrieval_folder, RETRIEVAL, _RETRIEVAL_FILES),
        (source.ranking_folder, RANKING, _RANKING_FILES),
        (source.surfaces_folder, SURFACES, _SURFACES_FILES),
        (source.profiles_folder, PROFILES, (ARRAYS, NAMES)),
    )
    for origin, name, patterns in copies:
        if not origin.is_dir():
            continue
        (folder / name).mkdir(parents=True)
        for pattern in patterns:
            for path in sorted(origin.glob(pattern)):
                shutil.copyfile(path, folder / name / path.name)
    np.save(folder / RETRIEVAL / VECTORS, source.text_vectors)
    source.items.to_parquet(folder / ITEMS, index=False)
    (folder / CONFIG).write_text(dump_config(source.config), encoding="utf-8")
    write_json(folder / EXAMPLES, source.examples)
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": sha256_of_file(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    content = {
        "format": FORMAT,
        "tfrec": tfrec.__version__,
        "bert": bert,
        "origin": source.origin,
        "files": files,
    }
    write_json(folder / CONTENT, content)


def _check_files(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    for name, entry in progress(files.items(), description="Checking files", unit="file"):
        path = folder / name
        if not path.is_file():
            what = "is missing"
        elif path.stat().st_size != entry["bytes"]:
            what = f"has {path.stat().st_size} bytes instead of {entry['bytes']}"
        elif sha256_of_file(path) != entry["sha256"]:
            what = "has another checksum than when it was written"
        else:
            continue
        raise UserError(
            f"{folder} is damaged: {name} {what}; copy the models folder again, or export the run "
            "again"
        )
