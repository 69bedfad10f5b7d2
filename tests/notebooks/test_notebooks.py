"""Every notebook runs on a small shop, says nothing to stderr that it should not, and is kept."""

import re

import nbformat
import pytest

from notebooks.execute import MOST_BYTES, keep, notebooks, run, visible_text

NAMES = [
    "01_quickstart",
    "02_text_tower",
    "03_behaviour_and_retrieval",
    "04_ranking_and_display_order",
    "05_cold_start_and_launch",
    "06_serving_over_grpc",
    "07_monitoring_and_ab",
]
NOISE = re.compile(r"Warning|Traceback|WARNING|Error\b", re.IGNORECASE)


def test_all_of_them_are_here():
    assert [path.stem for path in notebooks()] == NAMES


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_it_runs(path, executed):
    done = executed(path)
    for cell in done.cells:
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                noise = [line for line in output.text.splitlines() if NOISE.search(line)]
                assert not noise, f"{path.name} warns: {noise}"
    figures = [
        output
        for cell in done.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(figures) >= 2, "a notebook shows figures"


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_it_is_kept_with_its_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not any(output.get("name") == "stderr" for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert path.stat().st_size < MOST_BYTES
    sentences = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert sentences[0].startswith(f"# {int(path.stem[:2])}. ")


class TestKeeping:
    @staticmethod
    def notebook(*outputs):
        cell = nbformat.v4.new_code_cell("1 + 1", execution_count=1, outputs=list(outputs))
        cell.metadata["execution"] = {"iopub.status.busy": "2011-12-09"}
        return nbformat.v4.new_notebook(cells=[cell])

    def test_progress_and_times_go_and_results_stay(self, tmp_path):
        output = nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)
        bar = nbformat.v4.new_output("stream", name="stderr", text="100%|###| 9/9")
        keep(self.notebook(bar, output), tmp_path / "a.ipynb")
        (cell,) = nbformat.read(tmp_path / "a.ipynb", as_version=4).cells
        assert [visible_text(one).strip() for one in cell.outputs] == ["2"]
        assert "execution" not in cell.metadata

    def test_paths_of_this_machine_are_refused(self, tmp_path):
        output = nbformat.v4.new_output("stream", name="stdout", text="in /home/ann/run")
        with pytest.raises(ValueError, match="holds the path /home/ann"):
            keep(self.notebook(output), tmp_path / "a.ipynb")
        assert not (tmp_path / "a.ipynb").exists()

    def test_large_files_are_refused(self, tmp_path):
        output = nbformat.v4.new_output("stream", name="stdout", text="x" * MOST_BYTES)
        with pytest.raises(ValueError, match="make figures smaller"):
            keep(self.notebook(output), tmp_path / "a.ipynb")

    def test_parameters_are_replaced_and_known(self, tmp_path):
        cell = nbformat.v4.new_code_cell("WORK = 'work'  # here\nN = 3\nprint(WORK, N)")
        cell.metadata["tags"] = ["parameters"]
        path = tmp_path / "a.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
        done = run(path, {"WORK": "C:\\new", "N": 4})
        assert done.cells[0].outputs[0].text == "C:\\new 4\n"
        with pytest.raises(KeyError, match="no parameter OTHER"):
            run(path, {"OTHER": 1})
