"""The `tfrec` command: every stage under one name, each imported only when it is called."""

import difflib
import importlib
from dataclasses import dataclass
from typing import Any

import click

import tfrec
from pipelines.running import run


@dataclass(frozen=True)
class Stage:
    """One sub-command: where its click command lives, and the line that `tfrec --help` shows."""

    name: str
    module: str
    summary: str


# Summaries stand here, and not only in the stages, because reading them there would import
# TensorFlow to print a help page. A test keeps the two equal.
SECTIONS: dict[str, tuple[Stage, ...]] = {
    "Start here": (Stage("demo", "pipelines.demo", "Run the whole funnel on a real shop's data."),),
    "Build a recommender": (
        Stage(
            "data prepare",
            "pipelines.data_prepare",
            "Turn an event log and a catalogue into a data set.",
        ),
        Stage(
            "data encode",
            "pipelines.data_encode",
            "Encode the item texts of a data set with BERT.",
        ),
        Stage(
            "data images",
            "pipelines.data_images",
            "Encode the pictures of a catalogue as vectors.",
        ),
        Stage(
            "data histories",
            "pipelines.data_histories",
            "Write histories of real shoppers, for load tests.",
        ),
        Stage(
            "train text",
            "pipelines.train_text",
            "Train the BERT on the texts and the log of a shop.",
        ),
        Stage("train retrieval", "pipelines.train_retrieval", "Train the retrieval model."),
        Stage(
            "train ranking",
            "pipelines.train_ranking",
            "Train the ranking model on retrieved candidates.",
        ),
        Stage("tune", "pipelines.tune", "Find settings with a better validation score."),
        Stage("evaluate", "pipelines.evaluate", "Measure the models of a run against baselines."),
        Stage(
            "train surfaces",
            "pipelines.train_surfaces",
            "Fit the home page, cart, search and other surfaces.",
        ),
        Stage("export", "pipelines.export", "Write the SavedModels that a model server loads."),
        Stage(
            "index refresh",
            "pipelines.index_refresh",
            "Add new products to the exported models, without training.",
        ),
        Stage(
            "launch forecast",
            "pipelines.launch_forecast",
            "Forecast how products not yet on sale will start.",
        ),
    ),
    "Keep it up to date": (
        Stage(
            "update",
            "pipelines.update",
            "Learn from new events, and publish what was learned if it holds.",
        ),
        Stage(
            "rollback",
            "pipelines.rollback",
            "Take the newest version back, so that the one before is served.",
        ),
        Stage(
            "lineage",
            "pipelines.lineage",
            "Say which data, code, settings and parent a version comes from.",
        ),
        Stage(
            "rebuild",
            "pipelines.rebuild",
            "Build a published version again, and compare its figures.",
        ),
    ),
    "Serve and ask": (
        Stage("serve", "pipelines.serve", "Serve exported models over gRPC and REST."),
        Stage("recommend", "pipelines.recommend", "Ask a server what a shopper may want next."),
        Stage("search", "pipelines.search", "Ask a server for items that fit a text."),
        Stage("similar", "pipelines.similar", "Ask a server for items like an item."),
        Stage("cart", "pipelines.cart", "Ask a server what completes a basket."),
        Stage("explain", "pipelines.explain", "Say why an item is recommended."),
        Stage("home", "pipelines.home", "Ask a server for a shopper's home page."),
    ),
    "Watch it": (
        Stage(
            "monitor",
            "pipelines.monitor",
            "Watch a recommender in service: TensorBoard, drift and alerts.",
        ),
        Stage("ab", "pipelines.ab", "Compare two model versions from recorded events."),
    ),
    "Learn from what was shown": (
        Stage(
            "feedback labels",
            "pipelines.feedback_labels",
            "Join recorded lists and events into training examples.",
        ),
        Stage(
            "feedback evaluate",
            "pipelines.feedback_evaluate",
            "Estimate from recorded events what new models would earn.",
        ),
    ),
    "Look inside": (
        Stage(
            "profile",
            "pipelines.profile",
            "Write portraits of shoppers: segment, taste, next purchase.",
        ),
        Stage(
            "runs",
            "pipelines.runs",
            "List runs with their metrics and differing settings.",
        ),
        Stage("config show", "pipelines.config_show", "Print the effective configuration."),
    ),
}
STAGES = {stage.name: stage for stages in SECTIONS.values() for stage in stages}
GROUPS = {
    "data": "Make data sets.",
    "train": "Train models.",
    "index": "Maintain the item index of exported models.",
    "launch": "Prepare launches of products.",
    "feedback": "Learn from what shoppers did with what they were shown.",
    "config": "Look at configurations.",
}


class LazyGroup(click.Group):
    """A group whose sub-commands are imported when they are called.

    Attributes:
        prefix: the words before the sub-command: empty for `tfrec` itself, ``"data "`` for
            `tfrec data`.
    """

    def __init__(self, *args: Any, prefix: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the first word of every stage below this group, in the order of the help."""
        stages = (name for name in STAGES if name.startswith(self.prefix))
        return list(dict.fromkeys(name.removeprefix(self.prefix).split()[0] for name in stages))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports and returns a stage's command, or makes the group of that name."""
        if not self.prefix and cmd_name in GROUPS:
            return LazyGroup(cmd_name, prefix=f"{cmd_name} ", help=GROUPS[cmd_name])
        stage = STAGES.get(self.prefix + cmd_name)
        return importlib.import_module(stage.module).command if stage else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command that `args` begin with; the error for an unknown one suggests another.

        Raises:
            click.UsageError: if there is no such command.
        """
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], names, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(names)}"
            raise click.UsageError(f"no such command `{args[0]}`; {hint}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes every stage below this group with its summary, section by section."""
        for title, stages in SECTIONS.items():
            rows = [
                (stage.name.removeprefix(self.prefix), stage.summary)
                for stage in stages
                if stage.name.startswith(self.prefix)
            ]
            if rows:
                with formatter.section("Commands" if self.prefix else title):
                    formatter.write_dl(rows)


@click.group(
    cls=LazyGroup, epilog="Each command has its own help: tfrec COMMAND --help.", name="tfrec"
)
@click.version_option(tfrec.__version__, prog_name="tfrec")
def tfrec_command() -> None:
    """An end-to-end recommender for shops, on TensorFlow.

    A shop's event log and catalogue go in; recommendations over gRPC come out.
    """


def main() -> None:
    """Entry point of the `tfrec` console script."""
    run(tfrec_command, prog_name="tfrec")


if __name__ == "__main__":
    main()
