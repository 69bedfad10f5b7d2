"""A load test's result for people."""

import math

from rich import box
from rich.console import Group as Lines
from rich.table import Table
from rich.text import Text

from serving.loadtest.summary import OK, Group, Summary


def tables(summary: Summary, title: str) -> Lines:
    """Returns the tables of latencies by kind and of the errors, if there are any."""
    latencies = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
    latencies.add_column("call")
    for name in ("requests", "errors", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"):
        latencies.add_column(name, justify="right")
    for kind, group in summary.kinds.items():
        latencies.add_row(kind, *_cells(group))
    if len(summary.kinds) > 1:
        latencies.add_section()
        latencies.add_row("all", *_cells(summary.total))
    lines: list[Table | Text] = [
        latencies,
        Text(
            f"{summary.throughput:.1f} results a second over {summary.seconds:.1f} s; 99 % were "
            f"sent at most {summary.late_p99:.1f} ms after they were due"
        ),
    ]
    if summary.total.errors:
        errors = ", ".join(f"{n} {code}" for code, n in summary.total.codes.items() if code != OK)
        lines.append(Text(f"errors: {errors}", style="bold red"))
    return Lines(*lines)


def _cells(group: Group) -> list[str]:
    latency = group.latency
    shown = (latency.p50, latency.p90, latency.p99, latency.p99_9, latency.max)
    return [
        str(group.requests),
        str(group.errors),
        *("-" if math.isnan(value) else f"{value:.2f}" for value in shown),
    ]
