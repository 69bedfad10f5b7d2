"""`tfrec.<name>` is all that a notebook needs to know, and costs nothing until it is used."""

import pytest

import tfrec


def test_import_is_light(run_python):
    done = run_python("-c", "import tfrec, sys; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"tensorflow", "pandas", "numpy", "rich", "pydantic"}


def test_every_public_name_is_there():
    for name in tfrec.__all__:
        assert getattr(tfrec, name).__name__ == name
    assert set(tfrec.__all__) <= set(dir(tfrec))


def test_no_other_name_is():
    with pytest.raises(AttributeError, match="has no attribute 'Recomender'"):
        _ = tfrec.Recomender
