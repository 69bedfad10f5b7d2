import os
import time
from datetime import UTC, datetime

import pytest

from tfrec.errors import UserError
from tfrec.export.versions import next_version, prune, publish, versions_of

NAMES = ("retrieval", "ranking")


def test_only_integers_name_versions(tmp_path):
    for name in ("7", "00012", "tmp", ".13", "²", "14.part"):
        (tmp_path / name).mkdir()
    (tmp_path / "15").write_text("a file")
    assert list(versions_of(tmp_path)) == [7, 12]
    assert versions_of(tmp_path / "nothing") == {}


def test_a_version_is_the_time_or_larger_than_all_present(tmp_path):
    before = int(datetime.now(UTC).strftime("%Y%m%d%H%M%S"))
    assert before <= next_version(tmp_path, NAMES) <= before + 100
    (tmp_path / "ranking" / "99990101000000").mkdir(parents=True)
    assert next_version(tmp_path, NAMES) == 99990101000001


def test_models_appear_whole_and_together(tmp_path):
    with publish(tmp_path / "models", NAMES, 5) as folders:
        for name, folder in folders.items():
            (folder / "saved_model.pb").write_text(name)
        assert not any(versions_of(tmp_path / "models" / name) for name in NAMES)
        assert not any(folder.parent.name.isdecimal() for folder in folders.values())
    assert {path.name for path in (tmp_path / "models").iterdir()} == set(NAMES)
    assert (tmp_path / "models/ranking/5/saved_model.pb").read_text() == "ranking"


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), publish(tmp_path, NAMES, 5) as folders:
        (folders["retrieval"] / "saved_model.pb").write_text("whole")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_is_there_already_takes_the_others_back(tmp_path):
    (tmp_path / "ranking" / "5").mkdir(parents=True)
    with pytest.raises(UserError, match="do not export twice at once"), publish(tmp_path, NAMES, 5):
        pass
    assert versions_of(tmp_path / "retrieval") == {}
    assert list(versions_of(tmp_path / "ranking")) == [5]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "models").write_text("")
    with pytest.raises(UserError, match="models: it is a file"):
        publish(tmp_path / "models", NAMES, 5).__enter__()


def test_what_a_killed_export_left_goes_after_an_hour(tmp_path):
    old, young = tmp_path / ".export-old.part", tmp_path / ".export-young.part"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, time.time() - 2 * 3600))
    with publish(tmp_path, NAMES, 5):
        pass
    assert not old.exists() and young.exists()


def test_the_newest_versions_are_kept(tmp_path):
    for version in (1, 2, 10, 9):
        (tmp_path / "retrieval" / str(version)).mkdir(parents=True)
    prune(tmp_path, NAMES, keep=2)
    assert sorted(path.name for path in (tmp_path / "retrieval").iterdir()) == ["10", "9"]
