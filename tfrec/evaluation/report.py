"""The report of an evaluation: tables for people, one JSON file for programs."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfrec import files
from tfrec.display import Displayed
from tfrec.evaluation.result import Result, SliceResult

if TYPE_CHECKING:
    import pandas as pd

MISSING = "-"


class Report(Displayed):
    """The results of several models on the same shoppers.

    Args:
        results: one a model, in the order of the tables.

    Raises:
        ValueError: if there is no result, two share a name, or they differ in split, repeats
            or number of shoppers.
    """

    def __init__(self, results: list[Result]):
        if not results:
            raise ValueError("`results` should hold at least one result. Received: []")
        names = [result.name for result in results]
        if len(set(names)) < len(names):
            raise ValueError(f"`results` should have distinct names. Received: {names}")
        protocols = {(result.split, result.repeats, result.cases) for result in results}
        if len(protocols) > 1:
            raise ValueError(
                f"`results` should share split, repeats and shoppers. Received: {sorted(protocols)}"
            )
        self.results = results

    def __getitem__(self, name: str) -> Result:
        for result in self.results:
            if result.name == name:
                return result
        raise KeyError(name)

    @property
    def headline_cutoff(self) -> int:
        """The cutoff of the small tables: the largest one up to 20, or the smallest."""
        cutoffs = [int(name.split("@")[1]) for name in self.results[0].per_case]
        return max((k for k in cutoffs if k <= 20), default=min(cutoffs))

    def table(self) -> Table:
        """Returns metrics x models, accuracy with half the width of its 95 % interval."""
        first = self.results[0]
        repeats = "re-purchases counted" if first.repeats == "count" else "only new to the shopper"
        table = Table(
            title=f"{first.split} · {first.cases:,} shoppers · {repeats} · full catalogue",
            caption=f"± half of the 95 % bootstrap interval ({first.bootstrap_samples:,} samples)",
        )
        table.add_column("metric", no_wrap=True)
        for result in self.results:
            table.add_column(result.name, justify="right", no_wrap=True)
        metrics = dict.fromkeys(name for result in self.results for name in result.metrics)
        families = dict.fromkeys(name.split("@")[0] for name in metrics)
        for family in families:
            for metric in metrics:
                if metric.split("@")[0] == family:
                    table.add_row(metric, *self._cells(metric))
            if any(name.startswith(f"{family}@") for name in metrics):
                table.add_section()
        return table

    def slices_table(self, metric: str | None = None) -> Table:
        """Returns slices x models for one accuracy metric; None: NDCG at the headline cutoff."""
        metric = metric or f"ndcg@{self.headline_cutoff}"
        table = Table(title=f"{metric} by slice", caption="± half of the 95 % bootstrap interval")
        table.add_column("slice", no_wrap=True)
        table.add_column("shoppers", justify="right")
        for result in self.results:
            table.add_column(result.name, justify="right", no_wrap=True)
        for name, part in self.results[0].slices.items():
            cells = []
            for result in self.results:
                own = result.slices[name]
                cells.append(_cell(own.metrics.get(metric), own.intervals.get(metric)))
            table.add_row(name, f"{part.cases:,}", *cells)
        return table

    def differences_table(self, against: str, metrics: list[str] | None = None) -> Table:
        """Returns the paired differences of every other model to the model `against`.

        Args:
            against: name of the model that is subtracted.
            metrics: rows of the table; None: recall and NDCG at the headline cutoff.
        """
        k = self.headline_cutoff
        metrics = metrics or [f"recall@{k}", f"ndcg@{k}"]
        others = [result for result in self.results if result.name != against]
        differences = {result.name: result.minus(self[against]) for result in others}
        table = Table(
            title=f"difference to {against}",
            caption="paired 95 % bootstrap interval; * excludes zero",
        )
        table.add_column("metric", no_wrap=True)
        for result in others:
            table.add_column(result.name, justify="right", no_wrap=True)
        for metric in metrics:
            cells = []
            for result in others:
                found = differences[result.name][metric]
                star = "*" if found.significant else " "
                cells.append(f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]{star}")
            table.add_row(metric, *cells)
        return table

    def renderables(self) -> list[Table]:
        """Returns the table of metrics and the table of slices."""
        return [self.table(), self.slices_table()]

    def print(self, console: Console | None = None, *, against: str | None = None) -> None:
        """Prints the table of metrics and the table of slices.

        Args:
            console: where to print; None for standard output.
            against: name of a model; the table of differences to it is printed as well.
        """
        console = console or Console()
        table, slices = self.renderables()
        console.print(table)
        if against is not None:
            console.print(self.differences_table(against))
        console.print(slices)

    def to_frame(self) -> "pd.DataFrame":
        """Returns a row for each model, metric and slice, as figures are drawn from.

        Columns: `model`, `slice` (``"all"`` for the whole), `metric`, `value`, `low` and `high`
        (the 95 % interval; NaN where a metric has none), `shoppers`.
        """
        import pandas as pd

        rows = []
        for result in self.results:
            whole = SliceResult(result.cases, result.metrics, result.intervals)
            for name, part in {"all": whole, **result.slices}.items():
                for metric, value in part.metrics.items():
                    low, high = part.intervals.get(metric, (math.nan, math.nan))
                    rows.append((result.name, name, metric, value, low, high, part.cases))
        columns = ["model", "slice", "metric", "value", "low", "high", "shoppers"]
        return pd.DataFrame(rows, columns=columns)

    def to_json(self) -> dict[str, Any]:
        """Returns ``{"<model>": {"recall@10": …, "recall@10_low": …, …}}`` in plain values."""
        return {result.name: result.to_json() for result in self.results}

    def write(self, path: str | Path) -> None:
        """Writes `to_json` to a file, atomically.

        Raises:
            UserError: if the disk is full or the folder may not be written to.
        """
        files.write_json(path, self.to_json())

    def _cells(self, metric: str) -> list[Text]:
        accuracy = metric in self.results[0].per_case
        cells = [
            _cell(result.metrics.get(metric), result.intervals.get(metric))
            for result in self.results
        ]
        if accuracy and len(cells) > 1:
            best = max(result.metrics[metric] for result in self.results)
            for result, cell in zip(self.results, cells, strict=True):
                if result.metrics[metric] == best:
                    cell.stylize("bold")
        return cells


def _cell(value: float | None, interval: tuple[float, float] | None) -> Text:
    if value is None or math.isnan(value):
        return Text(MISSING)
    if interval is None:
        return Text(f"{value:.2f}" if value >= 2 else f"{value:.4f}")
    return Text(f"{value:.4f} ±{(interval[1] - interval[0]) / 2:.4f}")
