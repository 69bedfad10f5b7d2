import json

import pytest

from tests.data.shop import small_config, write_small
from tfrec.data.dataset import PreparedDataset
from tfrec.data.prepare import prepare_dataset
from tfrec.errors import UserError


@pytest.fixture
def dataset(tmp_path):
    return prepare_dataset(*write_small(tmp_path / "raw"), tmp_path / "out", small_config())


def test_files_are_sorted_and_complete(dataset):
    assert [path.removeprefix(str(dataset.path)) for path in dataset.files("train")] == [
        "/train/00000-of-00002.tfrecord.gz",
        "/train/00001-of-00002.tfrecord.gz",
    ]
    assert len(dataset.histories("train")) == dataset.manifest.splits["train"].shoppers


def test_histories_are_read_once_and_cannot_be_changed(dataset):
    train = dataset.histories("train")
    assert dataset.histories("train") is train
    assert dataset.histories("valid") is not train
    for values in (train.user, train.item, train.context["country"]):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = values[0]


def test_histories_that_are_too_large_are_not_kept(dataset, monkeypatch):
    size = dataset.histories("train").nbytes
    again = PreparedDataset.open(dataset.path)
    monkeypatch.setattr("tfrec.data.dataset.KEPT_BYTES", size)
    train, valid = again.histories("train"), again.histories("valid")
    assert again.histories("train") is train
    assert again.histories("valid") is not valid
    assert again.histories("valid").item.tolist() == valid.item.tolist()


def test_an_unknown_split_is_answered_with_the_known_ones(dataset):
    with pytest.raises(UserError, match="there is no split 'dev'; choose one of train, valid, te"):
        dataset.files("dev")
    with pytest.raises(UserError, match="there is no split 'dev'"):
        dataset.histories("dev")


def test_every_file_is_in_the_manifest_with_its_checksum(dataset):
    on_disk = {
        path.relative_to(dataset.path).as_posix()
        for path in dataset.path.rglob("*")
        if path.is_file()
    }
    assert on_disk == {*dataset.manifest.files, "dataset.json"}
    PreparedDataset.open(dataset.path, verify=True)


def test_a_missing_folder_or_manifest_is_explained(tmp_path):
    with pytest.raises(UserError, match=r"there is no data set folder .*tfrec data prepare"):
        PreparedDataset.open(tmp_path / "none")
    with pytest.raises(UserError, match=r"is not a prepared data set \(it has no dataset\.json\)"):
        PreparedDataset.open(tmp_path)


def test_a_half_copied_folder_is_noticed(dataset):
    path = dataset.path / "items.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match=r"is damaged: items\.parquet has \d+ bytes instead of"):
        PreparedDataset.open(dataset.path)
    path.unlink()
    with pytest.raises(UserError, match=r"is incomplete: items\.parquet is missing"):
        PreparedDataset.open(dataset.path)
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    path.write_bytes(flipped)
    PreparedDataset.open(dataset.path)  # the size is right, and checksums cost time
    with pytest.raises(UserError, match=r"items\.parquet has another checksum"):
        PreparedDataset.open(dataset.path, verify=True)


def test_damage_that_has_the_right_size_is_said_when_it_is_met(dataset):
    for name in ("items.parquet", "train/00001-of-00002.tfrecord.gz"):
        path = dataset.path / name
        path.write_bytes(bytes(len(path.read_bytes())))
    again = PreparedDataset.open(dataset.path)
    with pytest.raises(UserError, match=r"items\.parquet is damaged or may not be read; copy"):
        _ = again.items
    with pytest.raises(UserError, match=r"a file of .*/train is damaged or may not be read; copy"):
        again.histories("train")


def edit_manifest(dataset, change):
    path = dataset.path / "dataset.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_another_version_and_a_damaged_manifest_are_explained(dataset):
    edit_manifest(dataset, lambda content: content.update(format_version=99))
    with pytest.raises(UserError, match="has format version 99, this tfrec reads 1"):
        PreparedDataset.open(dataset.path)
    edit_manifest(dataset, lambda content: content.update(format_version=1, num_items="many"))
    with pytest.raises(UserError, match=r"dataset\.json is damaged at `num_items`"):
        PreparedDataset.open(dataset.path)
    (dataset.path / "dataset.json").write_text('{"format_version"')
    with pytest.raises(UserError, match="is not valid JSON"):
        PreparedDataset.open(dataset.path)


def test_importing_and_opening_needs_no_tensorflow(dataset, run_python):
    code = (
        "import sys; from tfrec.data.dataset import PreparedDataset; "
        f"d = PreparedDataset.open({str(dataset.path)!r}); d.items; d.categories('brand'); "
        "print('tensorflow' in sys.modules, d.checksum)"
    )
    process = run_python("-c", code)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == ["False", dataset.checksum]


def test_the_whole_log_ends_with_the_last_targets(dataset):
    log = dataset.whole_log()
    events = [dataset.histories("train").item.size]
    events += [dataset.histories(split).target_item.size for split in ("valid", "test")]
    assert log.item.size == sum(events) and not log.target_item.size
    assert sorted(log.item) == sorted(dataset.logged_events()[0])


def test_the_log_before_a_split_ends_with_the_one_before_it(dataset):
    train, valid = dataset.histories("train"), dataset.histories("valid")
    assert dataset.log_before("valid") is train
    log = dataset.log_before("test")
    assert len(log.item) == len(train.item) + len(valid.target_item) > len(train.item)
    assert log.timestamp.max() < dataset.histories("test").target_timestamp.min()
    with pytest.raises(ValueError, match=r"should be 'valid' or 'test'\. Received: split='train'"):
        dataset.log_before("train")


def test_a_leave_one_out_split_has_no_later_log(tmp_path):
    config = small_config().model_copy(update={"split": "leave_one_out"})
    dataset = prepare_dataset(*write_small(tmp_path / "raw"), tmp_path / "out", config)
    assert dataset.log_before("test") is dataset.histories("train")
    assert dataset.period_start("test") is None


def test_a_period_starts_with_its_first_event(dataset):
    first = dataset.period_start("test")
    assert first == dataset.histories("test").target_timestamp.min()
    assert dataset.period_start("valid") < first
