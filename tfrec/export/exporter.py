"""Writes the three SavedModels of a trained pair of models as one new version."""

import dataclasses
import importlib.metadata
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tfrec
from tfrec.config import ExperimentConfig, take_sections
from tfrec.export.bundle import write_bundle
from tfrec.export.exportable import Exportable
from tfrec.export.reference import reference_of
from tfrec.export.saving import save_model
from tfrec.export.served_models import ServedModels
from tfrec.export.versions import MODELS, next_version, prune, publish
from tfrec.export.warmup import examples, write_warm_up
from tfrec.files import disk_errors_as_user_errors, write_json
from tfrec.monitoring.drift.reference import FOLDER as REFERENCE
from tfrec.progress import progress
from tfrec.rerank.rules import check_surfaces
from tfrec.towers.bert.weights import find_weights
from tfrec.training.loading import TrainedRun
from tfrec.training.run import RunDirectory
from tfrec.training.surfaces import SURFACES

PROVENANCE = "assets.extra/tfrec/provenance.json"
SETTINGS = ("display", "surfaces", "evaluation", "export")
"""Sections of the configuration that an export may be given anew: no model is trained by them."""


@dataclass(frozen=True)
class Exported:
    """A version that was written.

    Attributes:
        version: its number.
        signatures: names of the signatures of each model.
        folders: its folder of each model.
    """

    version: int
    signatures: dict[str, list[str]]
    folders: dict[str, Path]


def export_run(
    path: str | Path,
    models: str | Path,
    data: str | Path | None = None,
    settings: ExperimentConfig | None = None,
    version: int | None = None,
) -> Exported:
    """Writes the models of a run as a new version.

    Args:
        path: the run.
        models: the models folder.
        data: the run's data set, where it has moved.
        settings: its sections `display`, `surfaces`, `evaluation` and `export`, as far as it names
            them, stand in for those of the run.
        version: as in `export`.

    Raises:
        UserError: if the run is not whole, or the models cannot be written.
    """
    return export_trained(path, TrainedRun.open(path, data), models, settings, version)


def export_trained(
    path: str | Path,
    run: TrainedRun,
    models: str | Path,
    settings: ExperimentConfig | None = None,
    version: int | None = None,
) -> Exported:
    """Writes the models of an open run as a new version, with their reference statistics.

    Args:
        path: the run.
        run: the same, opened.
        models: the models folder.
        settings: as in `export_run`.
        version: as in `export`.

    Raises:
        UserError: as `export_run`.
    """
    source = exportable_of(path, run, settings)
    source = dataclasses.replace(source, reference=reference_of(run, source.config))
    return export(source, Path(models), version)


def exportable_of(
    path: str | Path, run: TrainedRun, settings: ExperimentConfig | None = None
) -> Exportable:
    """Returns what an export of a run is made of.

    Args:
        path: the run.
        run: the same, opened.
        settings: its sections `display`, `surfaces`, `evaluation` and `export`, as far as it names
            them, stand in for those of the run.

    Raises:
        UserError: if the run holds no ranking model, or the display order names a product that
            cannot be shown.
    """
    path = Path(path)
    retrieval, ranking = RunDirectory.open(path, "retrieval"), RunDirectory.open(path, "ranking")
    assert run.ranker is not None, "a run with a ranking folder has a ranker"
    # The manifest's configuration is the one that made the items, and holds no salt.
    config = run.config.model_copy(update={"data": run.dataset.manifest.config})
    if (path / SURFACES).is_dir():
        fitted = RunDirectory.open(path, SURFACES).config.surfaces
        config = config.model_copy(update={"surfaces": fitted})
    if settings is not None:
        config = take_sections(config, settings, SETTINGS)
    check_surfaces(config.display, run.dataset.items, config.export.k)
    return Exportable(
        config=config,
        items=run.dataset.items,
        text_vectors=run.text_vectors,
        retrieval=run.retrieval,
        ranker=run.ranker,
        retrieval_folder=retrieval.path,
        ranking_folder=ranking.path,
        examples=examples(
            run.dataset.histories("test"),
            run.dataset.items,
            run.retrieval.spec,
            config.export.warmup_records,
        ),
        origin={
            "dataset": run.dataset.checksum,
            "retrieval": retrieval.record,
            "ranking": ranking.record,
        },
    )


def export(source: Exportable, models: Path, version: int | None = None) -> Exported:
    """Writes a new version of all three models, and removes the oldest ones.

    Args:
        source: the trained models.
        models: the models folder.
        version: its number, larger than all before; None for `next_version`.

    Raises:
        UserError: if the models cannot be written.
    """
    version = next_version(models, MODELS) if version is None else version
    bert = find_weights(source.config.text.bert)
    with (
        tempfile.TemporaryDirectory(prefix="tfrec-export-") as scratch,
        publish(models, MODELS, version) as folders,
        disk_errors_as_user_errors(models),
    ):
        served = ServedModels(source, bert, Path(scratch))
        for name, folder in progress(folders.items(), description="Exporting", unit="model"):
            save_model(folder, served.signatures[name], served.tables[name])
            write_warm_up(folder, name, served.signatures[name], source.examples)
            if name == "retrieval":
                write_bundle(folder, source, bert.fingerprint)
                if source.reference is not None:
                    source.reference.write(folder / REFERENCE)
            write_json(folder / PROVENANCE, _provenance(name, version, source))
    prune(models, MODELS, source.config.export.keep_versions)
    return Exported(
        version,
        {name: list(served.signatures[name]) for name in MODELS},
        {name: models / name / str(version) for name in MODELS},
    )


def _provenance(name: str, version: int, source: Exportable) -> dict[str, Any]:
    return {
        "model": name,
        "version": version,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "tfrec": tfrec.__version__,
        "tensorflow": importlib.metadata.version("tensorflow"),
        "items": len(source.items),
        "k": source.config.export.k,
        "item_vectors": source.config.export.item_vectors,
        "repeats": source.config.evaluation.repeats,
        "origin": source.origin,
    }
