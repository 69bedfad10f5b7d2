"""What the ranking model learns from shoppers as if they had come in the validation period.

    python -m benchmarks.arrivals --run RUN --out DIR [--seed 42 --seed 43]

Trains the ranking model of a finished run again, with the lists of more and more such shoppers
beside its own (`ranking.arrivals`), and prints the NDCG@10 of held-out validation shoppers: as the
log has them; as if they had come a moment ago, after 1, 2 and 5 events; and of those who have a
past and are 1, 2 and 5 events into a visit. What a stopped run had finished is kept. The test split
is not looked at.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.table import Table

from benchmarks.ranking_features import TrainedAgain
from pipelines.console import table_console
from tfrec.data.log_statistics import LogStatistics
from tfrec.data.records import Histories
from tfrec.files import read_json, write_json

if TYPE_CHECKING:
    from tfrec.training.candidate_lists import CandidateLists

SHARES = (0.0, 0.25, 0.5, 1.0)
LENGTHS = (1, 2, 5)


@click.command()
@click.option("--run", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the rows.")
@click.option("--seed", "seeds", multiple=True, type=int, default=(42, 43), show_default=True)
def main(run: Path, out: Path, seeds: tuple[int, ...]) -> None:
    """Train every row that is not there yet, and print the table."""
    from tfrec.training.ranking_validation import RankingValidation

    out.mkdir(parents=True, exist_ok=True)
    again, made = TrainedAgain(run), Lists(run, out / "lists")
    held_out = made.held_out()
    found: dict[float, list[dict[str, float]]] = {}
    for share in SHARES:
        train = made.to_train_on(share)
        for seed in seeds:
            record = out / f"{share:g}-{seed}.json"
            if not record.exists():
                name, folder = f"share {share:g}, seed {seed}", out / "training"
                model = again.train(train, held_out["whole"], folder, name, seed)
                figures = {}
                for part, lists in held_out.items():
                    figures[part] = RankingValidation(model, lists).measure()
                write_json(record, figures)
            found.setdefault(share, []).append(read_json(record))
    table_console().print(table_of(found, f"{run}, NDCG@10, seeds {', '.join(map(str, seeds))}"))


class Lists:
    """Makes candidate lists for the validation shoppers of a run, and keeps them.

    Args:
        path: the run's folder.
        folder: where the lists are kept.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        from tfrec.models.recommender import Retriever
        from tfrec.training.candidate_lists import drawn_shoppers, holdout_shoppers
        from tfrec.training.loading import TrainedRun
        from tfrec.training.own_lists import ListMaker
        from tfrec.training.ranking import build_ranker

        run = TrainedRun.open(path)
        self._dataset, self._config, self._seed = run.dataset, run.config.ranking, run.config.seed
        everyone, most = run.dataset.histories("valid"), self._config.max_shoppers
        self._histories = drawn_shoppers(everyone, most, seed=self._seed)
        self._held_out = holdout_shoppers(self._histories, self._config.holdout)
        run.retrieval.count(run.dataset.log_before("valid"))
        statistics = LogStatistics.build(run.dataset, self._config.neighbours)
        ranker = build_ranker(run.retrieval, statistics, self._config)
        self._maker = ListMaker(run.dataset, Retriever(run.retrieval), ranker, self._config)
        self._folder, self._events = folder, ranker.model.events

    def to_train_on(self, share: float) -> "CandidateLists":
        """Returns the lists that the model trains on with this `ranking.arrivals`."""
        from tfrec.training.ranking_lists import lists_to_train_on

        config = self._config.model_copy(update={"arrivals": share})
        return self._kept(
            f"train-{share:g}",
            lambda: lists_to_train_on(
                self._histories, ~self._held_out, self._dataset, self._maker, config, self._seed
            ),
        )

    def held_out(self) -> dict[str, "CandidateLists"]:
        """Returns the lists of held-out shoppers by what is known of these."""
        from tfrec.training.arrivals import arrivals

        some = self._histories.select(np.flatnonzero(self._held_out))
        asked = {"whole": some}
        for length in LENGTHS:
            lengths = np.full(len(some), length)
            arrived, rows = arrivals(some, lengths, self._dataset.target_event_indices)
            asked[f"new, {length}"] = arrived
            asked[f"visit, {length}"] = arrived.preceded_by(some.select(rows))
        return {name: self._kept(name, partial(self._judged, asked[name])) for name in asked}

    def _judged(self, histories: Histories) -> "CandidateLists":
        return self._maker.make(histories, seed=self._seed, negatives=0)

    def _kept(self, name: str, make: "Callable[[], CandidateLists]") -> "CandidateLists":
        from tfrec.training.candidate_lists import CandidateLists

        path = self._folder / name
        if not path.exists():
            make().save(path)
        return CandidateLists.load(path, self._events)


def table_of(found: dict[float, list[dict[str, float]]], title: str) -> Table:
    """Returns the means over seeds for people."""
    table = Table(title=title, caption="whole: as the log has them; new, visit: events behind them")
    table.add_column("ranking.arrivals")
    parts = list(found[SHARES[0]][0])
    for part in parts:
        table.add_column(part, justify="right")
    for share, rows in found.items():
        means = [np.mean([row[part] for row in rows]) for part in parts]
        table.add_row(f"{share:g}", *(f"{mean:.4f}" for mean in means))
    return table


if __name__ == "__main__":
    main()
