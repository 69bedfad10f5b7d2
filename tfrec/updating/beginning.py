"""What updates begin with: a run whose models are served, and settings that they can go on from."""

from pathlib import Path

from tfrec.config import ExperimentConfig, take_sections
from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.export.bundle import Bundle
from tfrec.export.exporter import SETTINGS
from tfrec.training.run import RunDirectory, config_of_both
from tfrec.updating.state import UpdateState


def begin(
    home: UpdateState,
    models: Path,
    run: str | Path | None,
    data: str | Path | None,
    config: ExperimentConfig | None,
) -> None:
    """Writes the ledger before the first update.

    Args:
        home: the state folder.
        models: the models folder.
        run: the run that its newest version comes from.
        data: the run's data set, where it has moved.
        config: as for `settings_of`.

    Raises:
        UserError: if there is no run, or the newest version does not come from it.
    """
    if run is None:
        raise UserError(
            f"{home.folder} holds no updates yet; name the run that the newest version in {models} "
            "was exported from with --run"
        )
    run = Path(run)
    first, second = RunDirectory.open(run, "retrieval"), RunDirectory.open(run, "ranking")
    dataset = PreparedDataset.open(first.dataset_path if data is None else data)
    first.check_dataset(dataset.path, dataset.checksum)
    bundle = Bundle.open(models)
    if bundle.origin["retrieval"]["started"] != first.record["started"]:
        raise UserError(
            f"version {bundle.version} in {models} does not come from {run}; name the run that it "
            "was exported from, or export this one"
        )
    # An export may have been given other settings than those that the models were trained with.
    kept = take_sections(config_of_both(first, second), bundle.config, SETTINGS)
    settings = settings_of(kept, config)
    check_settings(dataset, settings)
    home.begin(run, dataset.path, bundle.version, settings)


def settings_of(kept: ExperimentConfig, given: ExperimentConfig | None) -> ExperimentConfig:
    """Returns the experiment that updates go on with.

    Args:
        kept: that of the first update.
        given: whose sections, those that may change and that it names, take the place of those
            kept; None for none.
    """
    return kept if given is None else take_sections(kept, given, ("data", "update", *SETTINGS))


def check_settings(dataset: PreparedDataset, config: ExperimentConfig) -> None:
    """Refuses what updates cannot go on from.

    Args:
        dataset: the data set that events are to join.
        config: the experiment.

    Raises:
        UserError: saying what and why.
    """
    if dataset.manifest.timestamps is None or dataset.manifest.config.split != "temporal":
        raise UserError(
            f"the data set {dataset.path} is not split by time, so there are no newest days to "
            "judge an update on; prepare it with timestamps and data.split: temporal"
        )
    if config.text.policy != "frozen":
        raise UserError(
            f"the text policy {config.text.policy} trains the BERT, which updates leave as it is; "
            "train with text.policy: frozen"
        )
    if list(config.data.context_columns) != dataset.context_columns:
        raise UserError(
            f"data.context_columns are {config.data.context_columns}, but the data set "
            f"{dataset.path} has {dataset.context_columns}; use the configuration that made it"
        )
