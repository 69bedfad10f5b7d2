"""What stands beside the models of a run and belongs to their weights: surfaces and portraits."""

from pathlib import Path

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.training.profiles import PROFILES, run_profiles
from tfrec.training.run import RunDirectory
from tfrec.training.surfaces import FITTED, SURFACES, run_surfaces


def refit(before: Path, run: Path, dataset: PreparedDataset, config: ExperimentConfig) -> None:
    """Fits surfaces and portraits of a run, where another run has any and it has none yet.

    Args:
        before: the run that is taken for an example.
        run: the run, with its models.
        dataset: its data set.
        config: what its models were trained with, and in the section `surfaces` the settings of the
            surfaces.
    """
    if (before / SURFACES / FITTED).is_file() and not RunDirectory.is_finished(
        run, SURFACES, config, dataset.checksum
    ):
        run_surfaces(run, dataset.path, overwrite=True, settings=config)
    if (before / PROFILES).is_dir() and not (run / PROFILES).is_dir():
        run_profiles(run, dataset.path)
