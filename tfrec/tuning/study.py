"""A tuning: trials of settings, each a training, kept in a folder and gone on with after a kill.

Settings are proposed by the tree-structured Parzen estimator (Bergstra et al., 2011) of Optuna
(Akiba et al., 2019), and a trial that is worse than the median of the earlier ones at the same
epoch is stopped.
"""

import contextlib
import dataclasses
import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import tensorflow as tf
from optuna.trial import TrialState

from tfrec.config import ExperimentConfig, change_config, dump_config
from tfrec.config.flat import flat
from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.files import atomic_file, only_one
from tfrec.monitoring.training.observer import TrainingObserver, ValidationReport
from tfrec.training.run import RunDirectory
from tfrec.training.stages import run_ranking, run_retrieval
from tfrec.tuning.space import SearchSpace

STORAGE = "study.db"
BEST = "best.yaml"
TRIALS = "trials"
LOCK = ".lock"
NAME = "tfrec"
# What a trial leaves behind that nobody asks for once it is over and not the best.
HEAVY = ("best", "last", "lists", "weights*", "*.npy", "*.npz")
MEASURE = tuple(
    f"ranking.{key}" for key in ("repeats", "return_penalty", "holdout", "max_shoppers")
)
"""Settings that decide on which lists, and with what gains, a ranking model is judged."""
FOLDER = "folder"
OF = "of"
PROBLEM = "problem"


@dataclasses.dataclass(frozen=True)
class Trial:
    """A trial of a tuning.

    Attributes:
        number: from 0, in the order of their first starts.
        state: ``"finished"``, ``"pruned"``, ``"failed"`` or, if it can go on, ``"stopped"``.
        score: validation NDCG@10 of a finished one; the last one of a pruned one.
        epochs: epochs after which it was last validated.
        seconds: how long it took.
        settings: what was tried, by the paths of the keys.
        folder: its run, relative to the tuning's folder.
        problem: why a failed one failed.
    """

    number: int
    state: str
    score: float | None
    epochs: int | None
    seconds: float | None
    settings: dict[str, Any]
    folder: str
    problem: str = ""


class _Pruning(TrainingObserver):
    """Ends a training that is not worth its time."""

    def __init__(self, trial: optuna.Trial, prune: bool) -> None:
        self._trial = trial
        self._prune = prune

    def validated(self, report: ValidationReport) -> None:
        """Reports the score that decides, and stops a training without prospects."""
        self._trial.report(next(iter(report.scores.values())), report.epoch)
        # An untrained model says nothing about its settings.
        if self._prune and report.epoch and self._trial.should_prune():
            raise optuna.TrialPruned


class Tuning:
    """A tuning in a folder: ``study.db``, one run a trial in ``trials``, and ``best.yaml``.

    Args:
        folder: the tuning's folder; one that was stopped goes on.
        dataset: the prepared data set.
        config: the experiment; what the space does not name stays as it says.
        space: what is varied.
        run: a run with a finished retrieval model, to tune ranking on; None to tune retrieval.
        prune: whether trials without prospects are stopped.

    Raises:
        UserError: if the folder holds a tuning of something else, or is in use, or if the space
            varies what is no setting of the model, or what trials are measured by.
    """

    def __init__(
        self,
        folder: Path,
        dataset: PreparedDataset,
        config: ExperimentConfig,
        space: SearchSpace,
        *,
        run: Path | None = None,
        prune: bool = True,
    ) -> None:
        self.folder = folder
        self._dataset = dataset
        self._config = config
        self._space = space
        self._run = run
        self._prune = prune
        self.model = "retrieval" if run is None else "ranking"
        foreign = [key for key in space.distributions if not key.startswith(f"{self.model}.")]
        if foreign:
            raise UserError(
                f"`{foreign[0]}` is no setting of the {self.model} model, which is what is tuned "
                f"{'without' if run is None else 'with'} a run of a retrieval model; name settings "
                f"such as `{self.model}.training.learning_rate`"
            )
        measured = [key for key in space.distributions if key in MEASURE]
        if measured:
            raise UserError(
                f"`{measured[0]}` changes what trials are measured by, so that their scores could "
                "not be compared; set it in the configuration"
            )
        if run is not None:
            # Said now, and not by every trial.
            RunDirectory.open(run, "retrieval").check_dataset(dataset.path, dataset.checksum)
        # What fails is told by the trial; Optuna would print stack traces.
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)

    @property
    def not_first(self) -> dict[str, Any]:
        """What the first trial cannot take from the configuration, as the space leaves it out."""
        taken = self._space.parameters(self._config)
        values = flat(self._config.model_dump(mode="json"))
        return {key: values.get(key) for key in self._space.distributions if key not in taken}

    @contextlib.contextmanager
    def open(self) -> Iterator["Tuning"]:
        """Holds the folder, so that no second process tunes in it, and reads what is there."""
        busy = f"another process is tuning in {self.folder}; wait for it, or give another folder"
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(only_one(self.folder / LOCK, busy))
            except OSError as error:
                raise UserError(f"{self.folder} cannot be written to: {error.strerror}") from error
            self._open_study()
            yield self

    def _open_study(self) -> None:
        try:
            self._study = optuna.create_study(
                study_name=NAME,
                storage=f"sqlite:///{self.folder / STORAGE}",
                direction="maximize",
                load_if_exists=True,
            )
            known = self._study.user_attrs.get(OF)
        except Exception as error:  # SQLAlchemy's kinds depend on what is wrong with the file.
            raise UserError(
                f"{self.folder / STORAGE} holds no tuning, or is damaged; give another folder"
            ) from error
        subject = {
            "model": self.model,
            "dataset": self._dataset.checksum,
            "space": self._space.to_json(),
            "config": self._config.model_dump(mode="json"),
            "run": None if self._run is None else str(self._run.resolve()),
        }
        if known is None:
            self._study.set_user_attr(OF, subject)
            # The settings at hand come first: a tuning never ends below them unnoticed.
            self._study.enqueue_trial(self._space.parameters(self._config))
        elif known != subject:
            differing = [key for key in subject if known.get(key) != subject[key]]
            raise UserError(
                f"{self.folder} holds a tuning of another {' and '.join(differing)}; give another "
                "folder"
            )
        self._take_up()

    def _take_up(self) -> None:
        """Has trials that were stopped, and did not fail, go on from their checkpoints."""
        for killed in self._study.get_trials(states=[TrialState.RUNNING]):
            self._study.tell(killed.number, state=TrialState.FAIL)
        # Of several that had the same folder, the last one took the place of the others.
        by_folder = {one.user_attrs.get(FOLDER): one for one in self._study.trials}
        for folder, one in by_folder.items():
            if folder and one.state == TrialState.FAIL and PROBLEM not in one.user_attrs:
                self._study.enqueue_trial(one.params, user_attrs=one.user_attrs)

    def trials(self) -> list[Trial]:
        """Returns the trials so far, without those that others took the place of."""
        states = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned"}
        found: dict[str, Trial] = {}
        for one in self._study.trials:
            folder = one.user_attrs.get(FOLDER)
            if folder is None or one.state == TrialState.WAITING:
                continue
            problem = str(one.user_attrs.get(PROBLEM, ""))
            found[folder] = Trial(
                number=len(found) if folder not in found else found[folder].number,
                state=states.get(one.state, "failed" if problem else "stopped"),
                score=one.value,
                epochs=one.last_step,
                seconds=one.duration.total_seconds() if one.duration else None,
                settings=self._space.settings(one.params),
                folder=folder,
                problem=problem,
            )
        return list(found.values())

    def best(self) -> Trial | None:
        """Returns the finished trial with the highest score; None where there is none."""
        finished = [one for one in self.trials() if one.state == "finished"]
        return max(finished, key=lambda one: one.score or 0.0, default=None)

    def go_on(
        self, trials: int, minutes: float | None, tell: Callable[[Trial, Trial | None], None]
    ) -> None:
        """Makes trials until there are as many in all.

        Args:
            trials: number of trials, those made before included.
            minutes: no trial begins after these; None for no limit.
            tell: is called after each trial with it and the best so far.
        """
        done = sum(one.state != "stopped" for one in self.trials())
        if done >= trials:
            return

        def after(study: optuna.Study, frozen: optuna.trial.FrozenTrial) -> None:
            self._keep_best()
            folder = frozen.user_attrs[FOLDER]
            tell(next(one for one in self.trials() if one.folder == folder), self.best())

        # A sampler begins its stream of random numbers anew in every process.
        self._study.sampler = optuna.samplers.TPESampler(seed=self._config.seed + done)
        self._study.pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=0)
        self._study.optimize(
            self._make_trial,
            n_trials=trials - done,
            timeout=None if minutes is None else 60.0 * minutes,
            catch=(UserError,),
            callbacks=[after],
        )

    def _make_trial(self, trial: optuna.Trial) -> float:
        tried = self._space.suggest(trial)
        # Not the trial's number: one that goes on after a stop is a new trial to Optuna.
        name = trial.user_attrs.get(FOLDER, f"{TRIALS}/{len(self.trials()):04d}")
        trial.set_user_attr(FOLDER, name)
        folder = self.folder / name
        watch = [_Pruning(trial, self._prune)]
        try:
            settings = change_config(self._config, tried)
            if self._run is None:
                _, summary = run_retrieval(self._dataset, folder, settings, observers=watch)
            else:
                _borrow(self._run / "retrieval", folder / "retrieval")
                _, summary, _ = run_ranking(self._dataset, folder, settings, observers=watch)
        except UserError as error:
            trial.set_user_attr(PROBLEM, str(error))
            raise
        finally:
            # One process makes all trainings; Keras would keep the graphs of all of them.
            tf.keras.backend.clear_session()
            gc.collect()
        return summary.best_score

    def _keep_best(self) -> None:
        """Writes the best settings, and drops the weights of the other trials."""
        best = self.best()
        if best is None:
            return
        with atomic_file(self.folder / BEST) as temporary:
            temporary.write_text(
                dump_config(change_config(self._config, best.settings)), encoding="utf-8"
            )
        for trial in self.trials():
            if trial.folder != best.folder and trial.state != "stopped":
                for pattern in HEAVY:
                    for path in (self.folder / trial.folder / self.model).glob(pattern):
                        if path.is_dir():
                            shutil.rmtree(path, ignore_errors=True)
                        else:
                            path.unlink(missing_ok=True)


def _borrow(model: Path, place: Path) -> None:
    """Lets a run use the finished model of another."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(model.resolve(), target_is_directory=True)
