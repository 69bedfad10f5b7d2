"""A shop with a planted rule, and a run trained on it, once for all tests of training."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.training.planted_shop import prepare_planted, small_experiment
from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.training.loop import TrainingSummary
from tfrec.training.ranking import train_ranking
from tfrec.training.retrieval import load_retrieval, train_retrieval
from tfrec.training.run import RunDirectory


@dataclass(frozen=True)
class PlantedRun:
    """A finished run, and what its trainings returned."""

    path: Path
    dataset: PreparedDataset
    config: ExperimentConfig
    retrieval: TrainingSummary
    ranking: TrainingSummary
    quality: dict[str, float]


@pytest.fixture(scope="session")
def planted(tmp_path_factory) -> PreparedDataset:
    return prepare_planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="session")
def planted_run(planted, tmp_path_factory) -> PlantedRun:
    folder = tmp_path_factory.mktemp("planted_run")
    config = small_experiment(folder)
    run = create_run(folder / "run", "retrieval", config, planted)
    first = train_retrieval(planted, run, config)
    run.finish({"valid_ndcg@10": first.best_score}, **first.facts())
    model = load_retrieval(run.path, config, planted.items)
    run = create_run(folder / "run", "ranking", config, planted)
    second, quality = train_ranking(planted, model, run, config, profile=True)
    run.finish(quality, **second.facts())
    return PlantedRun(folder / "run", planted, config, first, second, quality)


def create_run(
    path: Path, model: str, config: ExperimentConfig, dataset: PreparedDataset
) -> RunDirectory:
    return RunDirectory.create(path, model, config, dataset.path, dataset.checksum, config.seed)
