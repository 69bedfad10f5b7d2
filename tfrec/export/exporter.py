"""Writes the three SavedModels of a trained pair of models as one new version."""

import importlib.metadata
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tfrec
from tfrec.config import ExperimentConfig
from tfrec.errors import UserError
from tfrec.export.bundle import write_bundle
from tfrec.export.exportable import Exportable
from tfrec.export.histories import HistoryReader
from tfrec.export.item_reader import ItemReader
from tfrec.export.ranking import RankingSignatures
from tfrec.export.recommender import RecommenderSignatures
from tfrec.export.retrieval import RetrievalSignatures
from tfrec.export.saving import Signature, save_model
from tfrec.export.served_items import ServedItems
from tfrec.export.versions import next_version, prune, publish
from tfrec.export.warmup import examples, write_warm_up
from tfrec.files import disk_errors_as_user_errors, write_json
from tfrec.models.recommender import Recommender, Retriever
from tfrec.progress import progress
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.weights import find_weights
from tfrec.training.loading import TrainedRun
from tfrec.training.run import RunDirectory

# The recommender last: when it appears, what it may be compared with is there.
MODELS = ("retrieval", "ranking", "recommender")
PROVENANCE = "assets.extra/tfrec/provenance.json"


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
) -> Exported:
    """Writes the models of a run as a new version.

    Args:
        path: the run.
        models: the models folder.
        data: the run's data set, where it has moved.
        settings: its sections `evaluation` and `export` stand in for those of the run.

    Raises:
        UserError: if the run is not whole, or the models cannot be written.
    """
    path = Path(path)
    retrieval, ranking = RunDirectory.open(path, "retrieval"), RunDirectory.open(path, "ranking")
    run = TrainedRun.open(path, data)
    if run.ranker is None:
        raise UserError(f"{path} holds no ranking model; train it with `tfrec train ranking`")
    # The manifest's configuration is the one that made the items, and holds no salt.
    config = run.config.model_copy(update={"data": run.dataset.manifest.config})
    if settings is not None:
        config = config.model_copy(
            update={"evaluation": settings.evaluation, "export": settings.export}
        )
    return export(
        Exportable(
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
        ),
        Path(models),
    )


def export(source: Exportable, models: Path) -> Exported:
    """Writes a new version of all three models, and removes the oldest ones.

    Args:
        source: the trained models.
        models: the models folder.

    Raises:
        UserError: if the models cannot be written.
    """
    version = next_version(models, MODELS)
    bert = find_weights(source.config.text.bert)
    with (
        tempfile.TemporaryDirectory(prefix="tfrec-export-") as scratch,
        publish(models, MODELS, version) as folders,
        disk_errors_as_user_errors(models),
    ):
        items = ServedItems(source.items, Path(scratch))
        histories = HistoryReader(items, source.retrieval.spec)
        products = ItemReader(source.config.data, source.retrieval.spec, source.items)
        text_tower = source.retrieval.catalogue.text_encoder or BertTextTower.from_files(
            bert, max_tokens=source.config.text.max_tokens
        )
        signatures = _signatures(source, items, histories, products, text_tower)
        tables = {
            "retrieval": [items, histories, products, text_tower.tokenizer],
            "ranking": [items, histories],
            "recommender": [items, histories],
        }
        for name, folder in progress(folders.items(), description="Exporting", unit="model"):
            save_model(folder, signatures[name], tables[name])
            write_warm_up(folder, name, signatures[name], source.examples)
            if name == "retrieval":
                write_bundle(folder, source, bert.fingerprint)
            write_json(folder / PROVENANCE, _provenance(name, version, source))
    prune(models, MODELS, source.config.export.keep_versions)
    return Exported(
        version,
        {name: list(signatures[name]) for name in MODELS},
        {name: models / name / str(version) for name in MODELS},
    )


def _signatures(
    source: Exportable,
    items: ServedItems,
    histories: HistoryReader,
    products: ItemReader,
    text_tower: BertTextTower,
) -> dict[str, dict[str, Signature]]:
    k = source.config.export.k
    hide_history = source.config.evaluation.repeats == "exclude"
    retriever = Retriever(source.retrieval)
    recommender = Recommender(retriever, source.ranker, max(k, source.config.ranking.candidates))
    return {
        "retrieval": RetrievalSignatures(
            items, histories, products, retriever, text_tower, k, hide_history
        ).signatures,
        "ranking": RankingSignatures(items, histories, retriever, source.ranker).signatures,
        "recommender": RecommenderSignatures(
            items, histories, recommender, k, hide_history
        ).signatures,
    }


def _provenance(name: str, version: int, source: Exportable) -> dict[str, Any]:
    return {
        "model": name,
        "version": version,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "tfrec": tfrec.__version__,
        "tensorflow": importlib.metadata.version("tensorflow"),
        "items": len(source.items),
        "k": source.config.export.k,
        "repeats": source.config.evaluation.repeats,
        "origin": source.origin,
    }
