"""What the features of the ranking model bring, and whether more lists would bring more.

    python -m benchmarks.ranking_features --run RUN --out DIR

Trains the ranking model of a finished run again on its own candidate lists, each time without one
group of features, or with fewer lists, and compares the NDCG@10 of held-out validation lists one
by one with that of all features, and with the order of the retrieval model. What a stopped run had
finished is kept. The test split is not looked at.
"""

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.table import Table

from benchmarks.measuring import gain_with_interval
from pipelines.console import table_console
from tfrec.files import read_json, write_json

if TYPE_CHECKING:
    from tfrec.models.ranking import RankingModel
    from tfrec.training.candidate_lists import CandidateLists

ALL = "all features"
GROUPS = {
    "co-occurrence": ("neighbour_",),
    "what follows on what": ("follower_",),
    "what goes with items described alike": ("alike_", "of_alike_"),
    "similarity of texts": ("text_",),
    "categories and prices": ("category_", "price_", "log_price"),
    "what the shopper had": ("own_",),
    "counts of the item": ("log_count", "log_recent", "trend", "log_age", "return_rate"),
    "length and repeats of the history": ("history_",),
}
"""By name, how the names of a group's features begin."""
SHARES = {"half of the lists": 0.5, "a quarter of the lists": 0.25}
RETRIEVAL = "retrieval alone"


@click.command()
@click.option("--run", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the rows.")
@click.option("--seed", default=42, show_default=True)
def main(run: Path, out: Path, seed: int) -> None:
    """Train every row that is not there yet, and print the table."""
    out.mkdir(parents=True, exist_ok=True)
    names = [ALL, *(f"without {group}" for group in GROUPS), *SHARES, RETRIEVAL]
    found = {}
    for name in names:
        record = out / f"{re.sub(r'[^a-z]+', '-', name)}-{seed}.json"
        if not record.exists():
            write_json(record, {"of lists": quality(run, out / "training", name, seed).tolist()})
        found[name] = np.array(read_json(record)["of lists"])
    table_console().print(table_of(found, f"{run}, held-out validation lists, seed {seed}"))


def quality(run: Path, folder: Path, name: str, seed: int) -> np.ndarray:
    """Returns the NDCG@10 of every held-out list for one row of the table, float64 `[lists]`."""
    from tfrec.training.ranking_lists import HOLDOUT, TRAIN, read_lists
    from tfrec.training.ranking_validation import RankingValidation

    trained = TrainedAgain(run)
    train, holdout = (
        read_lists(trained.ranking.path, part, trained.events) for part in (TRAIN, HOLDOUT)
    )
    for group, beginnings in GROUPS.items():
        if name == f"without {group}":
            for lists in (train, holdout):
                lists.features[..., places(trained.features, beginnings)] = 0.0
    count = round(SHARES.get(name, 1.0) * len(train.items))
    drawn = np.random.default_rng(seed).permutation(len(train.items))[:count]
    train = train.select(np.sort(drawn))
    if name == RETRIEVAL:
        # An untrained model keeps the order of the first stage.
        validate = RankingValidation(trained.model(train, seed), holdout)
        validate.measure()
    else:
        validate = RankingValidation(trained.train(train, holdout, folder, name, seed), holdout)
        validate()
    return validate.quality


class TrainedAgain:
    """Trains the ranking model of a finished run again, on other lists.

    Args:
        run: the run's folder.

    Attributes:
        ranking: the ranking part of the run.
        events: event types that the model has a head for.
        features: names of what it reads.
    """

    def __init__(self, run: Path) -> None:
        from tfrec.training.ranking import FEATURES
        from tfrec.training.retrieval import SPEC
        from tfrec.training.run import RunDirectory

        self.ranking = RunDirectory.open(run, "ranking")
        spec = read_json(run / "retrieval" / SPEC)
        self._targets, self._returned = spec["target_events"], spec["return_event"]
        self.events = [*self._targets, *([self._returned] if self._returned else [])]
        self.features: list[str] = read_json(self.ranking.path / FEATURES)["features"]

    def model(self, train: "CandidateLists", seed: int) -> "RankingModel":
        """Returns an untrained model that knows the spread of the features."""
        import tensorflow as tf

        from tfrec.models.ranking import RankingModel
        from tfrec.training.ranking import NORMALISE_BATCH

        tf.keras.utils.set_random_seed(seed)
        config = self.ranking.config.ranking
        model = RankingModel(len(self.features), self._targets, self._returned, config)
        model(tf.zeros([1, 1, len(self.features)]))
        model.normalise.adapt(train.features[train.present > 0], batch_size=NORMALISE_BATCH)
        return model

    def train(
        self, train: "CandidateLists", holdout: "CandidateLists", folder: Path, name: str, seed: int
    ) -> "RankingModel":
        """Returns a trained model.

        Args:
            train: the lists to train on.
            holdout: the lists that say when to stop.
            folder: for checkpoints; it is empty before and after.
            name: on the progress bar.
            seed: of the weights and of the order of the lists.
        """
        from tfrec.training.candidate_lists import list_batches
        from tfrec.training.loop import TrainingLoop
        from tfrec.training.ranking_validation import RankingValidation

        model, config = self.model(train, seed), self.ranking.config.ranking.training
        shutil.rmtree(folder, ignore_errors=True)
        TrainingLoop(
            model,
            model.parts,
            lambda epoch, skip: list_batches(train, config.batch_lists, seed + epoch).skip(skip),
            RankingValidation(model, holdout),
            config,
            folder,
            name,
        ).run()
        shutil.rmtree(folder)
        return model


def places(features: list[str], beginnings: tuple[str, ...]) -> list[int]:
    """Returns where the features are whose names begin so."""
    return [place for place, name in enumerate(features) if name.startswith(beginnings)]


def table_of(found: dict[str, np.ndarray], title: str) -> Table:
    """Returns the figures for people."""
    first = found[ALL]
    table = Table(
        title=title,
        caption=f"difference of NDCG@10 to all features, with its 95 % interval over "
        f"{len(first):,} lists",
    )
    table.add_column("ranking model", no_wrap=True)
    table.add_column("NDCG@10", justify="right")
    table.add_column("difference", justify="right")
    for name, values in found.items():
        gain = values - first
        table.add_row(
            name,
            f"{values.mean():.4f}",
            gain_with_interval(gain) if gain.any() else "",
        )
    return table


if __name__ == "__main__":
    main()
