"""Where a published version comes from, and whether what it takes to build it again is there."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.export.bundle import FOLDER
from tfrec.export.exporter import PROVENANCE
from tfrec.export.versions import MODELS, versions_of
from tfrec.files import read_json
from tfrec.training.run import CONFIG
from tfrec.training.transfer import SourceRun
from tfrec.updating.batch_record import BatchRecord
from tfrec.updating.gate import Verdict
from tfrec.updating.identity import code_identity
from tfrec.updating.rollback import WITHDRAWN
from tfrec.updating.state import SERVED, UpdateState


@dataclass(frozen=True)
class Need:
    """Something that it takes to build a version again.

    Attributes:
        what: in words.
        there: whether it is at hand as it was.
        where: its place.
    """

    what: str
    there: bool
    where: str


@dataclass(frozen=True)
class Lineage:
    """Where a version comes from.

    Attributes:
        version: its number.
        written: UTC time.
        origin: ``"trained"``, ``"updated"`` or ``"refreshed"``.
        parent_version: the version that it was made from, or None.
        dataset: checksum of the data set.
        data: first and last event, counts and splits; empty where they are not known.
        batch: the batch of an update, or None.
        code: tfrec's version and, where known, the checksum of its sources.
        seed: of the trainings.
        packages: versions of the libraries it was trained with.
        config: file with the configuration.
        metrics: of both trainings.
        verdict: the gate's, or None.
        needs: what it takes to build it again.
    """

    version: int
    written: str
    origin: str
    parent_version: int | None
    dataset: str
    data: dict[str, Any]
    batch: dict[str, Any] | None
    code: dict[str, str]
    seed: int
    packages: dict[str, str]
    config: str
    metrics: dict[str, float]
    verdict: dict[str, Any] | None
    needs: list[Need]

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return asdict(self)


def provenance_of_update(
    dataset: PreparedDataset,
    batch: BatchRecord,
    verdict: Verdict,
    *,
    generation: int,
    parent_version: int,
    seed: int,
) -> dict[str, Any]:
    """Returns what a version says of the update that made it, as `lineage_of` reads it.

    Args:
        dataset: the data set with the batch.
        batch: what was taken in.
        verdict: the gate's.
        generation: number of the update.
        parent_version: the version that it went on from.
        seed: of the trainings.
    """
    manifest = dataset.manifest
    assert manifest.timestamps is not None, "updates go on from logs with times"
    return {
        "generation": generation,
        "parent_version": parent_version,
        "batch": batch.to_json(),
        "data": {
            "checksum": dataset.checksum,
            "first": manifest.timestamps.first,
            "last": manifest.timestamps.last,
            "events": manifest.events.rows_kept,
            "items": manifest.num_items,
            "splits": {
                name: split.model_dump(mode="json") for name, split in manifest.splits.items()
            },
        },
        "code": code_identity(),
        "seed": seed,
        "verdict": verdict.to_json(),
    }


def lineage_of(
    models: str | Path, version: int | None = None, state: str | Path | None = None
) -> Lineage:
    """Reads where a version comes from.

    Args:
        models: the models folder.
        version: the version; a withdrawn one, too. None for the newest.
        state: the state folder of the updates, to say what is left of an updated version's data
            and parent.

    Raises:
        UserError: if there is no such version, or its provenance is missing.
    """
    models = Path(models)
    folder = _folder(models, version)
    provenance = read_json(folder / PROVENANCE)
    origin = provenance["origin"]
    update = origin.get("update")
    refreshed = origin.get("refreshed", [])
    first, second = origin["retrieval"], origin["ranking"]
    kind = "refreshed" if refreshed else "updated" if update else "trained"
    parent = update["parent_version"] if update else None
    code = update["code"] if update else {"tfrec": first["tfrec"]}
    return Lineage(
        version=provenance["version"],
        written=provenance["written"],
        origin=kind,
        parent_version=refreshed[-1] if refreshed else parent,
        dataset=origin["dataset"],
        data=update["data"] if update else {},
        batch=update["batch"] if update else None,
        code=code,
        seed=first["seed"],
        packages=first["packages"],
        config=str(folder / FOLDER / CONFIG),
        metrics={
            f"{name}/{metric}": value
            for name, record in (("retrieval", first), ("ranking", second))
            for metric, value in record.get("metrics", {}).items()
        },
        verdict=update["verdict"] if update else None,
        needs=_needs(models, origin, code, state),
    )


def _folder(models: Path, version: int | None) -> Path:
    name = MODELS[0]
    if version is None:
        version = max(versions_of(models / name), default=0)
    for path in (models / name / str(version), models / name / WITHDRAWN.format(version)):
        if path.is_dir():
            return path
    told = ", ".join(str(each) for each in versions_of(models / name)) or "none"
    raise UserError(f"there is no version {version} in {models}; its versions are {told}")


def _needs(
    models: Path, origin: dict[str, Any], code: dict[str, str], state: str | Path | None
) -> list[Need]:
    data = Path(origin["retrieval"]["dataset"]["path"])
    needs = [Need("data set", _is_data(data, origin["dataset"]), str(data))]
    update = origin.get("update")
    if update:
        parent = update["parent_version"]
        place, there = f"version {parent} in {models}", parent in versions_of(models / MODELS[0])
        if state is not None:
            ledger = UpdateState(state).ledger()
            entry = ledger.entry_of_version(parent)
            run = Path(ledger.run)
            if entry is not None:
                run = UpdateState(state).generation(entry.generation) / SERVED
            place, there = str(run), run.is_dir()
        needs.append(Need("parent run", there, place))
    if "started_from" in origin["retrieval"]:
        needs.append(source_need(origin["retrieval"]["started_from"]))
    now = code_identity()
    same = all(now[name] == value for name, value in code.items())
    needs.append(Need("the same code", same, f"tfrec {code['tfrec']}"))
    return needs


def source_need(started_from: dict[str, Any]) -> Need:
    """Says whether the run that a training started from is there as it was.

    Args:
        started_from: what the training's record says of it.
    """
    place = started_from["run"]
    try:
        there = SourceRun.open(place).record["weights"] == started_from["weights"]
    except UserError:
        there = False
    return Need("run it started from", there, place)


def _is_data(path: Path, checksum: str) -> bool:
    try:
        return PreparedDataset.open(path).checksum == checksum
    except UserError:
        return False
