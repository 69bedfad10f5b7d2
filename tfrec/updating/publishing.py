"""Publishes an accepted challenger with the counts of the whole log."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from tfrec.config import ExperimentConfig
from tfrec.data.log_statistics import LogStatistics
from tfrec.export.exporter import export, exportable_of
from tfrec.export.reference import reference_of
from tfrec.export.versions import MODELS, next_version, versions_of
from tfrec.files import atomic_folder, read_json, write_json
from tfrec.training.loading import TrainedRun
from tfrec.training.ranking import STATISTICS
from tfrec.training.retrieval import save_retrieval
from tfrec.updating.state import SERVED

VERSION = "version.json"
_NOT_SERVED = shutil.ignore_patterns("best", "last", "lists", "logs")


def publish_generation(
    folder: Path,
    run_name: str,
    models: Path,
    settings: ExperimentConfig,
    lineage: dict[str, Any],
    *,
    version: int | None = None,
) -> int:
    """Exports a run of a generation as a new version, once, and returns its number.

    The number is noted before anything is written. If a version of that number is there as a whole
    it was published before; what is there of it in part is taken back and written anew.

    Args:
        folder: of the generation, with the run and `data`.
        run_name: folder of the run in it.
        models: the models folder.
        settings: as in `exportable_of`.
        lineage: what the provenance tells of the update.
        version: the number; None for the next one.

    Raises:
        UserError: if the models cannot be written.
    """
    noted = folder / VERSION
    if noted.is_file():
        version = int(read_json(noted)["version"])
        there = [name for name in MODELS if version in versions_of(models / name)]
        if len(there) == len(MODELS):
            return version
        for name in there:
            shutil.rmtree(models / name / str(version))
    path = folder / run_name
    run = TrainedRun.open(path, folder / "data")
    source = exportable_of(path, run, settings)
    # Before the counts know what the shoppers of the reference went on to take.
    reference = reference_of(run, source.config)
    served = _write_served(path, folder / SERVED, run)
    source = dataclasses.replace(
        source,
        retrieval_folder=served / "retrieval",
        ranking_folder=served / "ranking",
        reference=reference,
        origin={**source.origin, "update": lineage},
    )
    version = next_version(models, MODELS) if version is None else version
    write_json(noted, {"version": version})
    export(source, models, version)
    return version


def _write_served(path: Path, served: Path, run: TrainedRun) -> Path:
    """Writes a run again with the counts of the whole log, which `run` then knows, too."""
    log = run.dataset.whole_log()
    assert run.ranker is not None, "an update trains a ranking model"
    run.retrieval.count(log)
    statistics = LogStatistics.of(log, run.dataset, run.config.ranking.neighbours)
    run.ranker.features.fill(statistics)
    with atomic_folder(served) as temporary:
        shutil.copytree(path, temporary, dirs_exist_ok=True, ignore=_NOT_SERVED)
        save_retrieval(run.retrieval, temporary / "retrieval")
        statistics.save(temporary / "ranking" / STATISTICS)
    return served
