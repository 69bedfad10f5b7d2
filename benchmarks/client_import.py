"""Measures what importing a client costs: ours, and the usual stubs of TensorFlow Serving.

Run: ``python -m benchmarks.client_import``
"""

import json
import statistics
import subprocess
import sys

import click
from rich.console import Console
from rich.table import Table

IMPORTS = {
    "serving.client": "import serving.client",
    "tensorflow_serving.apis": (
        "from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc"
    ),
}
PROBE = """
import json, resource, sys, time
wall, processor = time.perf_counter(), time.process_time()
{statement}
print(json.dumps({{
    "wall": time.perf_counter() - wall,
    "processor": time.process_time() - processor,
    "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "modules": len(sys.modules),
}}))
"""


def measure(statement: str, runs: int) -> dict[str, float]:
    """Returns medians over fresh processes, after one that warms the disk's cache."""
    command = [sys.executable, "-c", PROBE.format(statement=statement)]
    results = [
        json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        for _ in range(runs + 1)
    ][1:]
    return {key: statistics.median(result[key] for result in results) for key in results[0]}


@click.command()
@click.option("--runs", type=click.IntRange(1), default=7, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
def main(runs: int, as_json: bool) -> None:
    """Measure imports in processes of their own; medians."""
    figures = {name: measure(statement, runs) for name, statement in IMPORTS.items()}
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    table = Table(title="Importing a client", title_justify="left")
    for column in ("import", "wall time", "processor time", "peak memory", "modules"):
        table.add_column(column, justify="left" if column == "import" else "right")
    for name, one in figures.items():
        table.add_row(
            name,
            f"{one['wall']:.2f} s",
            f"{one['processor']:.2f} s",
            f"{one['megabytes']:.0f} MiB",
            f"{one['modules']:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
