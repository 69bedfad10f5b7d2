"""The rooms of the house and the direction of imports between them, read off the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOUNDATION = {"config", "display", "errors", "files", "progress", "runtime"}
# Each may import the foundation and those before it.
# The index is ops over scores, which models are made of; the API is what notebooks use.
LAYERS = ["data", "towers", "index", "models", "export", "updating", "api"]
# Evaluation looks on: it measures anything with a `score` method, and knows none of the models.
# Training is the workshop: it puts layers and evaluation together.
BESIDE = {
    "evaluation": {"data"},
    "rerank": {"data", "index"},
    "training": {
        "data",
        "towers",
        "models",
        "index",
        "evaluation",
        "monitoring",
        "rerank",
        "surfaces",
        "feedback",
        "profiles",
        "explaining",
    },
    "monitoring": {"data", "evaluation"},
    "launch": {"data", "evaluation", "towers"},
    "images": {"data"},
    "feedback": {"data", "monitoring"},
    "explaining": {"index"},
    "profiles": set(),
    "surfaces": {"data", "evaluation", "index"},
    "tuning": {"data", "training", "monitoring"},
}
MAY_USE_BESIDE = {
    "models": {"rerank"},
    "export": {"training", "rerank", "monitoring", "surfaces", "explaining", "profiles"},
    "updating": {"training", "evaluation", "monitoring"},
    "api": {"training", "evaluation", "monitoring", "launch", "explaining"},
}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yields every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; write the whole name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(folders: list[str], *forbidden: str) -> list[str]:
    """Returns ``file imports module`` for every import below a forbidden name."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for folder in folders
        for path in sources(folder)
        for name in imports(path)
        if any(f"{name}.".startswith(f"{prefix}.") for prefix in forbidden)
    ]


def modules_loaded_by(run_python, statement: str) -> set[str]:
    done = run_python("-c", f"{statement}\nimport sys\nprint(*sys.modules)")
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_reader_of_imports_reads_them(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("import a.b\ndef f():\n    from c import d, e\n")
    assert list(imports(file)) == ["a.b", "c.d", "c.e"]


def test_library_knows_neither_pipelines_nor_serving():
    assert importers(["tfrec"], "pipelines", "serving", "tests", "benchmarks") == []


def test_serving_knows_neither_library_nor_pipelines():
    assert importers(["serving"], "tfrec", "pipelines", "tests", "benchmarks") == []


@pytest.mark.parametrize("module", ["serving.client", "serving.gateway.__main__"])
def test_what_asks_a_server_loads_no_model_library(run_python, module):
    loaded = modules_loaded_by(run_python, f"import {module}")
    assert "serving" in loaded and "grpc" in loaded
    assert not loaded & {"tfrec", "tensorflow", "tf_keras", "keras_nlp", "pandas", "pyarrow"}


@pytest.mark.parametrize("layer", [*LAYERS, *BESIDE])
def test_imports_inside_the_library_go_one_way(layer):
    if layer in LAYERS:
        allowed = {*LAYERS[: LAYERS.index(layer)], *MAY_USE_BESIDE.get(layer, ())}
    else:
        allowed = BESIDE[layer]
    folders = {path.name for path in (ROOT / "tfrec").iterdir() if path.is_dir()}
    others = folders - allowed - FOUNDATION - {layer, "__pycache__"}
    assert importers([f"tfrec/{layer}"], *(f"tfrec.{other}" for other in others)) == []


def test_every_room_of_the_library_has_its_place_in_the_order():
    rooms = {path.parent.name for path in (ROOT / "tfrec").glob("*/__init__.py")}
    assert rooms <= {*FOUNDATION, *LAYERS, *BESIDE}


def test_foundation_stands_on_its_own():
    files = {
        path.relative_to(ROOT).as_posix(): set(imports(path))
        for path in sources("tfrec")
        if path.relative_to(ROOT / "tfrec").parts[0].removesuffix(".py") in FOUNDATION
    }
    assert len(files) > len(FOUNDATION)
    for file, names in files.items():
        for name in names:
            if name.startswith("tfrec"):
                assert name.split(".")[1] in FOUNDATION, f"{file} imports {name}"
            assert not name.startswith("tensorflow"), f"{file} imports {name}"


@pytest.mark.parametrize("owner, text", [
    ("tfrec/runtime.py", "TF_USE_LEGACY_KERAS"),
    ("tfrec/runtime.py", "KERAS_BACKEND"),
    ("tfrec/towers/bert/library.py", "import keras_nlp"),
])  # fmt: skip
def test_one_module_decides(owner, text):
    holders = [
        path.relative_to(ROOT).as_posix()
        for path in sources("tfrec", "pipelines", "serving", "benchmarks")
        if any(
            line.strip() == text or (text.isupper() and text in line)
            for line in path.read_text(encoding="utf-8").splitlines()
        )
    ]
    assert holders == [owner]


def test_keras_is_taken_from_tensorflow():
    """`keras` would be Keras 3, and `tf_keras` hides that there is a choice."""
    assert importers(["tfrec", "pipelines"], "keras", "tf_keras", "keras_core") == []


def test_progress_bars_are_made_in_one_module():
    makers = [
        path.relative_to(ROOT).as_posix()
        for path in sources("tfrec", "pipelines", "serving")
        if re.search(r"\b(tqdm|trange)\(", path.read_text(encoding="utf-8"))
    ]
    assert makers == ["tfrec/progress.py"]


@pytest.mark.parametrize("module", ["tfrec.data.dataset", "tfrec.config", "tfrec.training.run"])
def test_what_needs_no_tensorflow_does_not_load_it(run_python, module):
    assert "tensorflow" not in modules_loaded_by(run_python, f"import {module}")
