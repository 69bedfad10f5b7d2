"""Runs the notebooks from top to bottom and keeps what they show.

``python -m notebooks.execute [NAME ...]`` runs all notebooks, or those whose file names begin with
one of the names, and writes them back with their outputs.
"""

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tfrec.files import atomic_file
from tfrec.progress import progress, write_line

FOLDER = Path(__file__).parent
PARAMETERS = "parameters"
CELL_SECONDS, START_SECONDS = 1800, 180
MOST_BYTES = 1_000_000
# What a stored output must not hold: it would be another one on the next machine.
_MACHINE = re.compile(r"/(?:home|root|tmp|Users|work|mnt|usr)/[\w.-]+")


def notebooks() -> list[Path]:
    """Returns the notebooks, in their order."""
    return sorted(FOLDER.glob("[0-9]*.ipynb"))


def run(path: Path, parameters: Mapping[str, Any] | None = None) -> nbformat.NotebookNode:
    """Returns a notebook with the outputs of running it in a kernel of its own.

    Args:
        path: the notebook; the file stays as it is.
        parameters: values for the names in its cell with the tag ``parameters``.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
        KeyError: if the notebook has no such parameter.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = list(notebook.cells)
    if parameters:
        _replace(_parameter_cell(notebook), parameters)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        startup_timeout=START_SECONDS,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(FOLDER)}},
    )
    # Each start says on stderr that the loopback interface is not encrypted.
    client.extra_arguments = ["--IPKernelApp.log_level=ERROR"]
    client.execute(env={**os.environ, "PYTHONHASHSEED": "0"})
    notebook.cells = cells
    return notebook


def keep(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Writes a notebook with its outputs, less what differs between runs and machines.

    Progress bars go; the figures and tables stay.

    Raises:
        ValueError: if an output holds a path of this machine, or the file would be too large.
    """
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            found = _MACHINE.search(visible_text(output))
            if found:
                raise ValueError(f"{path.name}: an output holds the path {found[0]}")
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    text = nbformat.writes(notebook)
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"{path.name} would have {len(text.encode())} bytes; make figures smaller")
    with atomic_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def visible_text(output: nbformat.NotebookNode) -> str:
    """Returns the text of an output, without its figures."""
    data = output.get("data", {})
    parts = [output.get("text", ""), *(data.get(kind, "") for kind in ("text/plain", "text/html"))]
    return "\n".join(parts)


def _parameter_cell(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    (cell,) = (cell for cell in notebook.cells if PARAMETERS in cell.metadata.get("tags", ()))
    return cell


def _replace(cell: nbformat.NotebookNode, parameters: Mapping[str, Any]) -> None:
    for name, value in parameters.items():
        # A replacement text, in which a backslash would mean something.
        line = f"{name} = {value!r}".replace("\\", r"\\")
        cell.source, count = re.subn(rf"^{name} = .*$", line, cell.source, flags=re.MULTILINE)
        if not count:
            raise KeyError(f"the notebook has no parameter {name}")


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="how the file names begin; all by default")
    names = tuple(parser.parse_args().names) or ("",)
    chosen = [path for path in notebooks() if path.name.startswith(names)]
    for path in progress(chosen, description="Notebooks", unit="notebook"):
        keep(run(path), path)
        write_line(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
