"""What goes with an exported retrieval model so that new items can be added without its run."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tfrec
from tfrec.config import ExperimentConfig, dump_config, load_config
from tfrec.data.dataset import ITEMS
from tfrec.errors import UserError
from tfrec.export.versions import versions_of
from tfrec.files import read_json, sha256_of_file, write_json
from tfrec.models.recommender import Ranker
from tfrec.models.retrieval import RetrievalModel
from tfrec.progress import progress
from tfrec.training.ranking import FEATURES, STATISTICS, load_ranker
from tfrec.training.ranking import WEIGHTS as RANKING_WEIGHTS
from tfrec.training.retrieval import SPEC, VECTORS, load_retrieval
from tfrec.training.retrieval import WEIGHTS as RETRIEVAL_WEIGHTS
from tfrec.training.run import CONFIG, RECORD

FOLDER = "assets.extra/tfrec"
CONTENT = "bundle.json"
FORMAT = 1
_RETRIEVAL_FILES = (RECORD, SPEC, f"{RETRIEVAL_WEIGHTS}.*")
_RANKING_FILES = (RECORD, FEATURES, STATISTICS, f"{RANKING_WEIGHTS}.*")


@dataclass(frozen=True)
class Bundle:
    """A retrieval version's bundle.

    Attributes:
        path: its folder.
        version: the version that it belongs to.
        config: the configuration of the models; its section `data` made the data set.
        bert: fingerprint of the BERT that the texts were read with.
    """

    path: Path
    version: int
    config: ExperimentConfig
    bert: str

    @classmethod
    def open(cls, models: Path) -> "Bundle":
        """Opens the bundle of the newest retrieval version in a models folder.

        Raises:
            UserError: if there is no model or no bundle, or it is damaged.
        """
        if not models.is_dir():
            raise UserError(
                f"there is no models folder {models}; make one with `tfrec export --models {models}`"
            )
        versions = versions_of(models / "retrieval")
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
        return cls(path, version, load_config(path / CONFIG), content["bert"])

    @property
    def retrieval(self) -> Path:
        """The trained retrieval model, as in a run's folder."""
        return self.path / "retrieval"

    @property
    def ranking(self) -> Path:
        """The trained ranking model, as in a run's folder."""
        return self.path / "ranking"

    def items(self) -> pd.DataFrame:
        """Returns the item table."""
        return pd.read_parquet(self.path / ITEMS)

    def load(
        self, items: pd.DataFrame, text_vectors: np.ndarray | None = None
    ) -> tuple[RetrievalModel, Ranker]:
        """Returns the trained models over an item table.

        Args:
            items: the bundle's items in their order, and possibly further ones after them.
            text_vectors: float32 `[num_items, text_dimension]`; those of the bundle by default.
        """
        retrieval = load_retrieval(self.retrieval, self.config, items, text_vectors)
        return retrieval, load_ranker(self.ranking, retrieval, self.config.ranking)


def write_bundle(
    version_folder: Path,
    config: ExperimentConfig,
    bert: str,
    items: pd.DataFrame,
    text_vectors: np.ndarray,
    retrieval: Path,
    ranking: Path,
) -> None:
    """Writes the bundle into a version of the retrieval model.

    Args:
        version_folder: the version's folder.
        config: the configuration; it must hold no salt.
        bert: fingerprint of the BERT that the texts were read with.
        items: the item table.
        text_vectors: float32 `[num_items, text_dimension]`.
        retrieval: folder of the trained retrieval model, of a run or of an earlier bundle.
        ranking: that of the ranking model.
    """
    folder = version_folder / FOLDER
    for source, patterns in ((retrieval, _RETRIEVAL_FILES), (ranking, _RANKING_FILES)):
        target = folder / source.name
        target.mkdir(parents=True)
        for pattern in patterns:
            for path in sorted(source.glob(pattern)):
                shutil.copyfile(path, target / path.name)
    np.save(folder / retrieval.name / VECTORS, text_vectors)
    items.to_parquet(folder / ITEMS, index=False)
    (folder / CONFIG).write_text(dump_config(config), encoding="utf-8")
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": sha256_of_file(path),
        }
        for path in _files(folder)
    }
    write_json(
        folder / CONTENT,
        {"format": FORMAT, "tfrec": tfrec.__version__, "bert": bert, "files": files},
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


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
