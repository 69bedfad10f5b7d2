"""The demo: the whole funnel on a real shop's data, step by step."""

import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.markup import escape

from pipelines.demo_answers import ask_everything, show_answers
from pipelines.demo_summary import evaluation_table, show_next_steps
from pipelines.options import path_option
from pipelines.running import run
from pipelines.stage_process import run_stage
from pipelines.steps import Step, StepRunner
from tfrec.config import ExperimentConfig, dump_config, load_config
from tfrec.data.manifest import MANIFEST, read_manifest
from tfrec.data.sample import sample_path
from tfrec.errors import UserError
from tfrec.files import atomic_file
from tfrec.towers.bert.weights import find_weights
from tfrec.training.run import CONFIG, RunDirectory

STEPS = 9
WIDTH_OUTSIDE_A_TERMINAL = 120


@click.command()
@path_option(
    "--workdir",
    metavar="DIR",
    help="Folder for everything that the demo makes.",
    default=Path("demo"),
    show_default=True,
)
@path_option(
    "--config",
    metavar="YAML",
    help="Another configuration than the one that comes with the data.",
)
def command(workdir: Path, config: Path | None) -> None:
    """Run the whole funnel on a real shop's data.

    The orders of a wholesaler of gifts (UCI Online Retail, CC BY 4.0) become a data set, two
    trained models, their evaluation, and a model server that is asked for recommendations.

    Run again, it repeats only what something changed for; stopped anywhere, it continues.
    """
    sample = sample_path()
    Demo(workdir, load_config(config or sample / "config.yaml"), sample).run()


class Demo:
    """One demo in one folder.

    Args:
        workdir: the folder.
        config: the experiment.
        sample: folder with ``events.parquet`` and ``items.parquet``.

    Raises:
        UserError: if the BERT is missing or damaged.
    """

    def __init__(self, workdir: Path, config: ExperimentConfig, sample: Path) -> None:
        self._config = config
        self._sample = sample
        self._bert = find_weights(config.text.bert).fingerprint
        self._workdir = workdir
        self._config_file = workdir / "config.yaml"
        self._data = workdir / "data"
        self._run = workdir / "run"
        self._models = workdir / "models"
        self._answers = workdir / "answers.json"
        # A log has no width of its own, and 80 columns would fold product names.
        self._width = None if sys.stdout.isatty() else WIDTH_OUTSIDE_A_TERMINAL
        self._console = Console(highlight=False, width=self._width)

    def run(self) -> None:
        """Runs what is not done yet, and shows everything.

        Raises:
            UserError: if something is wrong with the folder, the disk, the BERT or the server.
            click.exceptions.Exit: if a stage failed, after it said why.
        """
        with StepRunner(self._workdir / ".steps", STEPS, self._console) as runner:
            with atomic_file(self._config_file) as temporary:
                temporary.write_text(dump_config(self._config), encoding="utf-8")
            runner.run(self._prepare())
            runner.run(self._encode())
            runner.run(self._retrieval())
            runner.run(self._ranking())
            runner.run(self._evaluation("count"))
            runner.run(self._evaluation("exclude"))
            runner.run(self._surfaces())
            runner.run(self._export())
            runner.run(self._ask())
        show_answers(self._answers, self._console)
        self._console.print()
        self._console.print(
            evaluation_table(
                {
                    "re-purchases counted": self._figures("count"),
                    "only items new to the shopper": self._figures("exclude"),
                }
            )
        )
        self._console.print(runner.table())
        show_next_steps(self._console, self._workdir, self._models, self._run)

    def _prepare(self) -> Step:
        events, items = self._sample / "events.parquet", self._sample / "items.parquet"
        return Step(
            "prepare the data",
            self._stage("data prepare", "--events", events, "--items", items, "--out", self._data),
            {"events": events, "items": items, "config": self._config.data},
            [self._data / MANIFEST, self._data / "items.parquet", *self._split_folders],
        )

    def _encode(self) -> Step:
        text = self._config.text
        cache = Path(text.cache_dir) if text.cache_dir else self._data / "text_vectors"
        return Step(
            "item text vectors",
            self._stage("data encode", "--data", self._data),
            {
                "items": self._data / "items.parquet",
                "bert": self._bert,
                "max_tokens": text.max_tokens,
            },
            [cache],
        )

    def _retrieval(self) -> Step:
        train = self._stage(
            "train retrieval", "--data", self._data, "--out", self._run, "--overwrite"
        )

        def action() -> None:
            # Its ranking model, whether finished or not, is that of another retrieval model.
            shutil.rmtree(self._run / "ranking", ignore_errors=True)
            train()

        config = self._config
        return Step(
            "train retrieval",
            action,
            {
                "data": self._data / MANIFEST,
                "seed": config.seed,
                "text": config.text,
                "bert": self._bert,
                "retrieval": config.retrieval,
                # Training stops early by the validation split, measured in this way.
                "repeats": config.evaluation.repeats,
            },
            [self._run / "retrieval" / CONFIG, *self._retrieval_files],
            had_finished=lambda: self._is_finished("retrieval"),
        )

    def _ranking(self) -> Step:
        return Step(
            "train ranking",
            self._stage("train ranking", "--data", self._data, "--out", self._run, "--overwrite"),
            {
                "data": self._data / MANIFEST,
                "seed": self._config.seed,
                "retrieval": self._retrieval_inputs,
                "ranking": self._config.ranking,
            },
            [self._run / "ranking" / CONFIG, *self._ranking_files],
            had_finished=lambda: self._is_finished("ranking"),
        )

    def _evaluation(self, repeats: Literal["count", "exclude"]) -> Step:
        figures = self._figures(repeats)
        tables = figures.with_suffix(".txt")
        arguments = ["--run", self._run, "--data", self._data, "--split", "test"]
        arguments += ["--repeats", repeats, "--json", figures]
        what = "re-purchases counted" if repeats == "count" else "new items only"
        return Step(
            f"evaluate, {what}",
            self._stage("evaluate", *arguments, output=tables),
            {
                "data": self._data / MANIFEST,
                "seed": self._config.seed,
                "models": self._model_inputs,
                "config": self._config.evaluation.model_copy(update={"repeats": repeats}),
            },
            [figures, tables],
        )

    def _surfaces(self) -> Step:
        arguments = ["--run", self._run, "--data", self._data, "--overwrite"]
        return Step(
            "fit the surfaces",
            self._stage("train surfaces", *arguments),
            {
                "data": self._data / MANIFEST,
                "retrieval": self._retrieval_inputs,
                "bert": self._bert,
                "surfaces": self._config.surfaces,
            },
            [self._run / "surfaces"],
        )

    def _export(self) -> Step:
        return Step(
            "export",
            self._stage(
                "export", "--run", self._run, "--data", self._data, "--models", self._models
            ),
            {
                "data": self._data / MANIFEST,
                "models": self._model_inputs,
                "surfaces": self._run / "surfaces",
                "config": self._config.export,
                "repeats": self._config.evaluation.repeats,
            },
            [self._models],
        )

    def _ask(self) -> Step:
        columns = self._config.data.context_columns

        def action() -> None:
            moment = read_manifest(self._data).splits["test"].starts
            ask_everything(self._models, self._sample, moment, columns, self._answers)

        return Step(
            "serve and ask",
            action,
            {
                "models": self._models,
                "data": self._data / MANIFEST,
                "events": self._sample / "events.parquet",
                "context": columns,
            },
            [self._answers],
        )

    @property
    def _split_folders(self) -> list[Path]:
        return [self._data / split for split in ("train", "valid", "test")]

    @property
    def _retrieval_files(self) -> list[Path]:
        return _model_files(self._run / "retrieval", "spec.json", "text_vectors.npy")

    @property
    def _ranking_files(self) -> list[Path]:
        return _model_files(self._run / "ranking", "features.json", "statistics.npz", "alike.npz")

    @property
    def _retrieval_inputs(self) -> list[Any]:
        """Everything that the answers of the trained retrieval model depend on."""
        return [self._config.text, self._config.retrieval, *self._retrieval_files]

    @property
    def _model_inputs(self) -> list[Any]:
        """Everything that the answers of both trained models depend on."""
        return [*self._retrieval_inputs, self._config.ranking, *self._ranking_files]

    def _figures(self, repeats: str) -> Path:
        name = {"count": "repurchases-counted", "exclude": "new-items-only"}[repeats]
        return self._workdir / "evaluation" / f"{name}.json"

    def _is_finished(self, model: str) -> bool:
        try:
            run = RunDirectory.open(self._run, model)
        except UserError:
            return False
        same_data = run.dataset_checksum == read_manifest(self._data).checksum
        return same_data and run.config == self._config

    def _stage(
        self, name: str, *arguments: object, output: Path | None = None
    ) -> Callable[[], None]:
        """Returns an action that runs a `tfrec` command in a process of its own."""
        words: Sequence[object] = [*name.split(), *arguments, "--config", self._config_file]

        def action() -> None:
            command = shlex.join(str(word) for word in words)
            self._console.print(f"[dim]$ tfrec {escape(command)}[/dim]", soft_wrap=True)
            if output is not None:
                output.parent.mkdir(parents=True, exist_ok=True)
            run_stage(words, output=output, width=self._width)

        return action


def _model_files(folder: Path, *others: str) -> list[Path]:
    return [folder / name for name in ("weights.index", "weights.data-00000-of-00001", *others)]


if __name__ == "__main__":
    run(command)
