"""Adds new products to exported models, and changes known ones, without training."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tfrec.config import DataConfig, ExperimentConfig, take_sections
from tfrec.data.adapters import find_adapter
from tfrec.data.catalogue import Catalogue, build_catalogue
from tfrec.data.table import Table
from tfrec.errors import UserError
from tfrec.export.bundle import Bundle
from tfrec.export.exporter import SETTINGS, Exported, export
from tfrec.export.merging import MergedItems, merge_items
from tfrec.export.reference import carried_over
from tfrec.files import atomic_file
from tfrec.rerank.rules import check_surfaces
from tfrec.towers.bert.vectors import TextVectors
from tfrec.towers.bert.weights import find_weights
from tfrec.training.text import encode_all

TEXT_VECTORS = ".text_vectors"
REJECTS = "rejects"


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did.

    Attributes:
        exported: the new version, or `None` where nothing changed.
        items_before: items of the old version.
        items_after: items of the new one.
        rows_in: rows of the file.
        new: rows of items that were not known.
        changed: rows of known items that differ from what was known.
        unchanged: rows of known items that do not.
        rejected: rows that could not be used, by reason.
        encoded: texts that the BERT read.
        rejects: file with the rejected rows, or `None` where there are none.
    """

    exported: Exported | None
    items_before: int
    items_after: int
    rows_in: int
    new: int
    changed: int
    unchanged: int
    rejected: dict[str, int]
    encoded: int
    rejects: Path | None


def refresh_index(
    models: str | Path, items: str | Path, config: ExperimentConfig | None = None
) -> Refreshed:
    """Publishes a new version of exported models with the items of a catalogue file added.

    Everything that is needed lies beside the newest retrieval model, but for a BERT that was not
    trained, which is found again by its fingerprint. Items that are not in the file stay as they
    are.

    Args:
        models: the models folder.
        items: path or glob of the catalogue.
        config: its sections `data`, `display`, `surfaces`, `evaluation` and `export`, as far as it
            names them, take the place of those that the models were made with.

    Raises:
        UserError: if the models, their bundle or the file cannot be used.
    """
    models = Path(models)
    bundle = Bundle.open(models)
    settings = bundle.config
    if config is not None:
        salt = {"user_salt": settings.data.user_salt}
        settings = take_sections(settings, config, ("data", *SETTINGS))
        # An exported configuration holds no salt.
        settings = settings.model_copy(update={"data": settings.data.model_copy(update=salt)})
    table, catalogue = read_new_items(items, settings.data)
    before = bundle.items()
    merged = merge_items(before, table, catalogue.frame, settings.data.text_columns)
    if config is not None:
        # Without one, products that were sold out since are left out and nobody is stopped.
        check_surfaces(settings.display, merged.frame, settings.export.k)
    rejects = _write_rejects(table, models)
    exported, encoded = None, 0
    if merged.new or merged.changed or settings != bundle.config:
        exported, encoded = _publish(models, bundle, settings, merged)
    return Refreshed(
        exported=exported,
        items_before=len(before),
        items_after=len(merged.frame),
        rows_in=len(table),
        new=merged.new,
        changed=merged.changed,
        unchanged=merged.unchanged,
        rejected=table.counts(),
        encoded=encoded,
        rejects=rejects,
    )


def read_new_items(source: str | Path, config: DataConfig) -> tuple[Table, Catalogue]:
    """Reads a file of the data contract or, where it is none, of the configured source.

    Raises:
        UserError: if the file cannot be used.
    """
    adapter = find_adapter(config.adapter)
    table = None
    if config.adapter != "generic":
        with contextlib.suppress(UserError):
            table = find_adapter("generic").items(source)
    if table is None or "item_id" not in table.columns.column_names:
        table = adapter.items(source)
    return table, build_catalogue(table, config)


def _publish(
    models: Path, bundle: Bundle, settings: ExperimentConfig, merged: MergedItems
) -> tuple[Exported, int]:
    vectors, encoded = _text_vectors(models, bundle, merged)
    source = bundle.exportable(merged.frame, vectors, settings)
    refreshed = [*bundle.origin.get("refreshed", []), bundle.version]
    source = replace(
        source,
        origin={**bundle.origin, "refreshed": refreshed},
        reference=carried_over(bundle, merged, vectors),
    )
    return export(source, models), encoded


def _text_vectors(models: Path, bundle: Bundle, merged: MergedItems) -> tuple[np.ndarray, int]:
    """Returns the vectors of all items, and how many texts had to be read."""
    files = find_weights(bundle.config.text.bert)
    if files.fingerprint != bundle.bert:
        raise UserError(
            f"the BERT in {files.folder} is not the one that the models in {models} were made with "
            f"(fingerprint {files.fingerprint[:12]}, not {bundle.bert[:12]}); put that one back, "
            "or train again"
        )
    before, known = bundle.items(), bundle.text_vectors()
    place = {text: row for row, text in enumerate(before["text"])}
    texts = merged.frame["text"].tolist()
    fresh = list(dict.fromkeys(text for text in texts if text not in place))
    if not fresh:
        return known[[place[text] for text in texts]], 0
    if bundle.config.text.policy == "frozen":
        cache = TextVectors(models / TEXT_VECTORS, files, bundle.config.text.max_tokens)
        vectors = cache.encode(fresh)
    else:
        encoder = bundle.load(before, known)[0].catalogue.text_encoder
        assert encoder is not None, "policies other than frozen train an encoder"
        vectors = encode_all(encoder, fresh)
    place |= {text: len(known) + row for row, text in enumerate(fresh)}
    return np.concatenate([known, vectors])[[place[text] for text in texts]], len(fresh)


def _write_rejects(table: Table, models: Path) -> Path | None:
    path = models / REJECTS / "items.parquet"
    if table.kept.all():
        # What an earlier refresh rejected would be taken for this one's.
        path.unlink(missing_ok=True)
        return None
    with atomic_file(path) as temporary:
        pq.write_table(table.rejected(), temporary, compression="zstd")
    return path
