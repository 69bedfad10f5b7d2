"""Builds a published version again from what it came from, and compares the figures."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfrec.config import ExperimentConfig, load_stored_config, take_sections
from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.export.exporter import export_run
from tfrec.export.versions import MODELS, versions_of
from tfrec.files import disk_errors_as_user_errors, only_one, read_json, write_json
from tfrec.training.run import RECORD, RunDirectory
from tfrec.training.stages import run_ranking, run_retrieval
from tfrec.training.surfaces import SURFACES
from tfrec.updating.comparing import Figure, differences, figures_of_metrics, figures_of_verdicts
from tfrec.updating.gate import Verdict
from tfrec.updating.generation import Generation
from tfrec.updating.identity import code_identity
from tfrec.updating.lineage import lineage_of, source_need
from tfrec.updating.refitting import refit
from tfrec.updating.state import CONFIG, SERVED, Entry, Ledger, UpdateState

GENERATION, RUN, MODELS_FOLDER, REPORT, LOCK = (
    "generation",
    "run",
    "models",
    "rebuilt.json",
    ".lock",
)


@dataclass(frozen=True)
class Rebuilt:
    """A version that was built again.

    Attributes:
        version: its number.
        models: the models folder that it is in, under the same number.
        figures: recorded and rebuilt ones.
        notes: what else is not as it was, such as the code.
    """

    version: int
    models: str
    figures: list[Figure]
    notes: list[str]

    @property
    def differences(self) -> list[str]:
        """What differs by more than noise."""
        return differences(self.figures)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return {**asdict(self), "differences": self.differences}


def rebuild(
    version: int,
    models: str | Path,
    state: str | Path,
    out: str | Path,
    *,
    on_step: Callable[[str], None] = lambda name: None,
) -> Rebuilt:
    """Trains a published version again from its data, parent, configuration and seed.

    One that was stopped goes on when it is called again. Neither the models folder that is served
    nor the state are changed.

    Args:
        version: one that the state knows: the first one, or one of the updates that are kept.
        models: the models folder that it was published in.
        state: the state folder of the updates.
        out: folder to build it in; gets `models`, `rebuilt.json` and the run.
        on_step: told the name of every step when it is done.

    Raises:
        UserError: if something that it takes is no longer there, or the folder is used otherwise.
    """
    home, models, out = UpdateState(state), Path(models), Path(out)
    ledger = home.ledger()
    entry = ledger.entry_of_version(version)
    if entry is None and version != ledger.version:
        _refuse_unknown(version, models, ledger)
    _check_out(out, models, version)
    busy = f"another rebuild is at work in {out}; wait for it to end, or choose another --out"
    with disk_errors_as_user_errors(out), only_one(out / LOCK, busy):
        if entry is None:
            rebuilt = _first(ledger, models, out, on_step)
        else:
            rebuilt = _updated(entry, home, ledger, out, on_step)
        write_json(out / REPORT, rebuilt.to_json())
    return rebuilt


def _refuse_unknown(version: int, models: Path, ledger: Ledger) -> None:
    known = [ledger.version, *(each.version for each in ledger.entries if each.version)]
    told = ", ".join(str(each) for each in known)
    if version in versions_of(models / MODELS[0]):
        lineage = lineage_of(models, version)
        if lineage.origin == "refreshed":
            raise UserError(
                f"version {version} was not trained: `tfrec index refresh` made it of "
                f"{lineage.parent_version}; rebuild that one, and refresh it again"
            )
    raise UserError(f"no update published version {version}; those that are known are {told}")


def _check_out(out: Path, models: Path, version: int) -> None:
    if out.resolve() == models.resolve():
        raise UserError(f"{out} is the models folder that is served; choose another --out")
    if not out.exists():
        return
    if not out.is_dir() or (any(out.iterdir()) and not (out / LOCK).is_file()):
        raise UserError(f"{out} holds something else; choose another --out")
    if (out / REPORT).is_file() and read_json(out / REPORT)["version"] != version:
        raise UserError(f"{out} holds another version; choose another --out")


def _updated(
    entry: Entry, home: UpdateState, ledger: Ledger, out: Path, on_step: Callable[[str], None]
) -> Rebuilt:
    """Goes through an update's steps again, in another folder."""
    assert entry.version is not None, "it published a version"
    source = home.generation(entry.generation)
    parent = ledger.entry_of_version(entry.parent_version)
    if parent is None:
        run, run_data = Path(ledger.run), Path(ledger.data)
    else:
        folder = home.generation(parent.generation)
        run, run_data = folder / SERVED, folder / "data"
    for path, what in (
        (source / "batch", "its batch"),
        (source / "data", "its data set"),
        (run, "the run of its parent"),
        (run_data, "the data set of its parent"),
    ):
        _need(path, entry.version, what)
    recorded = RunDirectory.open(source / SERVED, "retrieval")
    dataset = PreparedDataset.open(source / "data", verify=True)
    recorded.check_dataset(dataset.path, dataset.checksum)
    generation = Generation(
        folder=_linked(out / GENERATION, source),
        number=entry.generation,
        parent_data=run_data,
        champion_version=entry.parent_version,
        champion_run=run,
        champion_data=run_data,
        cache=home.folder / "text_vectors",
        config=_config(source, home),
    )
    verdict = generation.verdict(on_step)
    if not verdict.checks:
        raise UserError(f"version {entry.version} cannot be trained again: {verdict.reason}")
    on_step("train and judge")
    generation.publish(out / MODELS_FOLDER, entry.version)
    on_step("publish")
    assert entry.verdict is not None, "what is published was judged"
    recorded_verdict = Verdict.of_json(entry.verdict)
    figures = figures_of_verdicts(recorded_verdict, verdict)
    figures += _metrics(source / SERVED, out / GENERATION / verdict.run)
    notes = _notes(entry.code)
    if verdict.run != recorded_verdict.run:
        notes.append(f"the models of `{recorded_verdict.run}` were published; now {verdict.reason}")
    if not verdict.passed:
        notes.append(f"the gate would not publish it now: {verdict.reason}")
    return Rebuilt(entry.version, str(out / MODELS_FOLDER), figures, notes)


def _first(ledger: Ledger, models: Path, out: Path, on_step: Callable[[str], None]) -> Rebuilt:
    """Trains the run again that the updates began with."""
    run = Path(ledger.run)
    _need(run, ledger.version, "its run")
    first = RunDirectory.open(run, "retrieval")
    started_from = first.record.get("started_from")
    if started_from is not None and not (source := source_need(started_from)).there:
        raise UserError(
            f"version {ledger.version} was started from the run {source.where}, which is not there "
            "as it was; put it back"
        )
    _need(Path(ledger.data), ledger.version, "its data set")
    dataset = PreparedDataset.open(ledger.data, verify=True)
    first.check_dataset(dataset.path, dataset.checksum)
    if not _is_finished(out / RUN, "retrieval"):
        start = None if started_from is None else started_from["run"]
        run_retrieval(dataset, out / RUN, first.config, seed=first.seed, start_from=start)
    on_step("retrieval")
    if not _is_finished(out / RUN, "ranking"):
        second = RunDirectory.open(run, "ranking")
        run_ranking(dataset, out / RUN, second.config, seed=second.seed)
    on_step("ranking")
    config = first.config
    if (run / SURFACES).is_dir():
        config = take_sections(config, RunDirectory.open(run, SURFACES).config, ["surfaces"])
    refit(run, out / RUN, dataset, config)
    if ledger.version not in versions_of(out / MODELS_FOLDER / MODELS[-1]):
        export_run(out / RUN, out / MODELS_FOLDER, dataset.path, version=ledger.version)
    on_step("publish")
    notes = []
    if ledger.version in versions_of(models / MODELS[0]):
        notes = _notes(lineage_of(models, ledger.version).code)
    return Rebuilt(ledger.version, str(out / MODELS_FOLDER), _metrics(run, out / RUN), notes)


def _need(path: Path, version: int, what: str) -> None:
    if not path.is_dir():
        raise UserError(
            f"version {version} cannot be built again: {what} is no longer in {path}; "
            "update.keep_generations says of how many versions it is kept"
        )


def _linked(folder: Path, source: Path) -> Path:
    """Returns a generation's folder with the batch and the data set of another one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("batch", "data"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to((source / name).resolve())
    return folder


def _config(source: Path, home: UpdateState) -> ExperimentConfig:
    path = source / CONFIG
    return load_stored_config(path) if path.is_file() else home.config


def _metrics(recorded: Path, rebuilt: Path) -> list[Figure]:
    return [
        figure
        for name in ("retrieval", "ranking")
        for figure in figures_of_metrics(
            _named(RunDirectory.open(recorded, name), name),
            _named(RunDirectory.open(rebuilt, name), name),
        )
    ]


def _named(run: RunDirectory, name: str) -> dict[str, float]:
    return {f"{name}/{metric}": value for metric, value in run.record["metrics"].items()}


def _is_finished(run: Path, name: str) -> bool:
    return (run / name / RECORD).is_file() and RunDirectory(run / name).finished


def _notes(code: dict[str, str]) -> list[str]:
    """Says in what the code differs from what it was."""
    now = code_identity()
    return [
        f"the code is another one ({name} was {value[:12]} and is {now.get(name, '?')[:12]}), so "
        "figures may differ by more than noise"
        for name, value in code.items()
        if now.get(name) != value
    ]
