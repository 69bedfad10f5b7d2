"""One update's folder, and the steps that fill it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.manifest import MANIFEST
from tfrec.errors import UserError
from tfrec.evaluation.cases import Cases, NoCasesError
from tfrec.files import read_json, write_json
from tfrec.models.recommender import Recommender
from tfrec.training.ranking import train_ranking
from tfrec.training.retrieval import load_retrieval
from tfrec.training.run import RunDirectory
from tfrec.updating.batch import EVENTS
from tfrec.updating.batch_record import BatchRecord
from tfrec.updating.contenders import Contender, all_text_vectors
from tfrec.updating.gate import TRAINED, Verdict, decide
from tfrec.updating.grown import write_grown
from tfrec.updating.judging import Judged, judge, milliseconds
from tfrec.updating.lineage import provenance_of_update
from tfrec.updating.log import log_of
from tfrec.updating.publishing import VERSION, publish_generation
from tfrec.updating.refitting import refit
from tfrec.updating.sample import TRAIN, TrainingSample, chosen_shoppers, write_sample
from tfrec.updating.state import SERVED
from tfrec.updating.training import recount, update_config, update_retrieval

VERDICT = "verdict.json"
RECOUNTED = "recounted"
"""The folder of the old models with the newest counts."""


@dataclass
class Generation:
    """The steps of one update; each looks first whether its outcome is there already.

    Attributes:
        folder: holds `batch`, and what the steps make.
        number: of the generation.
        parent_data: the data set that the batch joins.
        champion_version: version of the models to train on from.
        champion_run: their run.
        champion_data: the data set that this run was trained on.
        cache: folder for the vectors of new texts.
        config: the experiment.
    """

    folder: Path
    number: int
    parent_data: Path
    champion_version: int
    champion_run: Path
    champion_data: Path
    cache: Path
    config: ExperimentConfig

    @staticmethod
    def forget_training(folder: Path) -> None:
        """Removes everything but the batch and the data set."""
        for name in ("sample", TRAINED, RECOUNTED, SERVED):
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in (VERDICT, VERSION):
            (folder / name).unlink(missing_ok=True)

    def write_data(self) -> None:
        """Writes the data set that the batch makes of its parent."""
        if (self.folder / "data" / MANIFEST).is_file():
            return
        parent = PreparedDataset.open(self.parent_data)
        batch = self.folder / "batch"
        write_grown(self.folder / "data", parent, log_of(parent), batch, self.config)

    @cached_property
    def dataset(self) -> PreparedDataset:
        """The data set with the batch."""
        return PreparedDataset.open(self.folder / "data")

    @cached_property
    def vectors(self) -> np.ndarray:
        """Text vectors of all items, float32 `[num_items, text_dimension]`."""
        before = PreparedDataset.open(self.champion_data)
        return all_text_vectors(self.dataset, self.champion_run, before, self.config, self.cache)[0]

    @cached_property
    def champion(self) -> Contender:
        """The models that are served, over the grown catalogue."""
        return Contender.load(self.champion_run, self.dataset, self.vectors)

    def verdict(self, on_step: Callable[[str], None]) -> Verdict:
        """Makes a challenger and judges it: trained on, or else the old models counted anew.

        Args:
            on_step: told the name of every step when it is done.
        """
        path = self.folder / VERDICT
        if path.is_file():
            return Verdict.of_json(read_json(path))
        trained = (
            self._trained(on_step) if self._waiting_days >= self.config.update.train_days else None
        )
        verdict = trained if trained is not None and trained.passed else self._recounted(trained)
        write_json(path, verdict.to_json())
        return verdict

    def _trained(self, on_step: Callable[[str], None]) -> Verdict:
        """Trains on from the champion, and judges what comes of it.

        A challenger that cannot be trained (too few shoppers, a loss that is no number) is not
        published, and the reason says so; only what lies outside, such as a full disk, stops the
        update.
        """
        try:
            self.train_retrieval()
            on_step("retrieval")
            self.train_ranking()
            on_step("ranking")
            self.refit(TRAINED)
            return self.judge(TRAINED)
        except UserError as error:
            if isinstance(error.__cause__, OSError):
                raise
            return Verdict(False, f"no new models: {error}", [])

    def _recounted(self, trained: Verdict | None) -> Verdict:
        """Judges the old models with the newest counts.

        Sales and what is bought together age sooner than weights. So they are counted with every
        update, though the weights are trained on now and then only; and whoever cannot be served
        the new models, as these missed a guardrail, need not be served old counts as well.

        Args:
            trained: the verdict on the new models, or None if none were trained.
        """
        config = self.training_config
        if not all(self._is_trained(RECOUNTED, name, config) for name in ("retrieval", "ranking")):
            retrieval, ranking = (
                self._start(RECOUNTED, name, config) for name in ("retrieval", "ranking")
            )
            recount(
                self.dataset, self.champion, self.vectors, (retrieval.path, ranking.path), config
            )
            # What came since the weights were trained is still to be trained on.
            retrieval.finish({}, trained_until=self._trained_until)
            ranking.finish({})
        self.refit(RECOUNTED)
        verdict = self.judge(RECOUNTED)
        if trained is not None and not verdict.passed:
            return trained
        if trained is None:
            days, least = self._waiting_days, self.config.update.train_days
            why = f"{days} days of events wait to be trained on, of {least} (update.train_days)"
            checks = verdict.checks
        else:
            why, checks = trained.reason, trained.checks
        if not verdict.passed:
            return Verdict(False, f"{why}; {verdict.reason}", checks, RECOUNTED)
        first = verdict.checks[0]
        reason = (
            f"{why}; the old models have the newest counts: {first.name} {first.champion:.4f} -> "
            f"{first.challenger:.4f}"
        )
        return Verdict(True, reason, checks, RECOUNTED)

    @property
    def training_config(self) -> ExperimentConfig:
        """What both models are trained with."""
        # Another draw of shoppers and another order in every generation.
        seed = (self.config.seed + self.number) % 2**32
        return update_config(self.config).model_copy(update={"seed": seed})

    def train_retrieval(self) -> None:
        """Trains the retrieval model on."""
        config = self.training_config
        if self._is_trained(TRAINED, "retrieval", config):
            return
        sample = self._sample()
        run = self._start(TRAINED, "retrieval", config)
        summary = update_retrieval(
            self.dataset, sample, self.champion.retrieval, self.vectors, run, config
        )
        run.finish({}, **summary.facts())

    def train_ranking(self) -> None:
        """Trains the ranking model on, over the candidates of the new retrieval model."""
        config = self.training_config
        if self._is_trained(TRAINED, "ranking", config):
            return
        folder = self.folder / TRAINED / "retrieval"
        retrieval = load_retrieval(folder, config, self.dataset.items, self.vectors)
        run = self._start(TRAINED, "ranking", config)
        summary, quality = train_ranking(
            self.dataset, retrieval, run, config, parent=self.champion.ranker.model
        )
        run.finish({"valid_ndcg@10": summary.best_score, **quality}, **summary.facts())

    def refit(self, run: str) -> None:
        """Fits surfaces and portraits of a run anew, where the champion has any."""
        refit(self.champion_run, self.folder / run, self.dataset, self.training_config)

    def judge(self, run: str) -> Verdict:
        """Compares a challenger, the run in that folder, with the champion on the newest days.

        Both know the log up to those days; so does the champion in service, if updates come as
        often as those days are long.
        """
        update = self.config.update
        try:
            old, before = self._champion_judged
        except NoCasesError:
            return Verdict(False, "nobody of the newest days can be judged on", [])
        # Its counts end there since it was trained, or counted.
        new = Contender.load(self.folder / run, self.dataset, self.vectors).recommender()
        after = self._judged(new)
        latency = milliseconds([old, new], self._cases) if update.most_slower is not None else None
        return decide(before, after, update, latency=latency, seed=self.config.seed)

    def publish(self, models: Path, version: int | None = None) -> int:
        """Publishes the challenger; returns its version.

        Args:
            models: the models folder.
            version: the number to publish it under; None for the next one.
        """
        verdict = Verdict.of_json(read_json(self.folder / VERDICT))
        lineage = provenance_of_update(
            self.dataset,
            BatchRecord.open(self.folder / "batch"),
            verdict,
            generation=self.number,
            parent_version=self.champion_version,
            seed=self.training_config.seed,
        )
        return publish_generation(
            self.folder, verdict.run, models, self.config, lineage, version=version
        )

    @cached_property
    def _cases(self) -> Cases:
        return Cases.of(self.dataset, "test", self.config.evaluation)

    @cached_property
    def _champion_judged(self) -> tuple[Recommender, Judged]:
        """The champion with the counts up to the newest days, and its figures there."""
        self.champion.count(self.dataset.log_before("test"))
        recommender = self.champion.recommender()
        return recommender, self._judged(recommender)

    def _judged(self, recommender: Recommender) -> Judged:
        cutoff, new = self.config.update.cutoff, self.config.evaluation.new_item_events
        return judge(recommender, self._cases, cutoff, new)

    def _sample(self) -> TrainingSample:
        folder = self.folder / "sample"
        if not folder.is_dir():
            start = int(np.datetime64(self._trained_until, "s").astype(np.int64))
            events = pd.read_parquet(self.folder / "batch" / EVENTS)
            late = events.loc[events["microseconds"] < start * 1_000_000, "user"].unique()
            shoppers = chosen_shoppers(
                self.dataset.histories(TRAIN),
                start,
                late,
                self.config.update.replay,
                self.training_config.seed,
            )
            write_sample(folder, self.dataset, shoppers)
        return TrainingSample(self.dataset, folder)

    @property
    def _trained_until(self) -> str:
        """ISO time from which on the champion was not trained on any event."""
        told = RunDirectory.open(self.champion_run, "retrieval").record.get("trained_until")
        if told is None:
            told = PreparedDataset.open(self.champion_data).manifest.splits["valid"].starts
        return str(told)

    @property
    def _waiting_days(self) -> int:
        """Days of events that the champion's weights were not trained on, and now could be."""
        until = self.dataset.manifest.splits["valid"].starts
        waiting = np.datetime64(until, "s") - np.datetime64(self._trained_until, "s")
        # Periods begin at events, so four weeks may lack some minutes.
        return round(float(waiting / np.timedelta64(1, "D")))

    def _is_trained(self, run: str, model: str, config: ExperimentConfig) -> bool:
        path, checksum = self.folder / run, self.dataset.checksum
        return RunDirectory.is_finished(path, model, config, checksum)

    def _start(self, run: str, model: str, config: ExperimentConfig) -> RunDirectory:
        return RunDirectory.create(
            self.folder / run,
            model,
            config,
            self.dataset.path,
            self.dataset.checksum,
            config.seed,
            overwrite=True,
        )
