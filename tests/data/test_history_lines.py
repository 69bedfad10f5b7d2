import json

import pytest

from serving.loadtest.shoppers import Shopper, read_shoppers
from tests.data.shop import DAY, START, small_config, write_small
from tfrec.data.history_lines import write_history_lines
from tfrec.data.prepare import prepare_dataset
from tfrec.errors import UserError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    return prepare_dataset(*write_small(folder / "raw"), folder / "out", small_config())


def lines(path):
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return sorted(rows, key=lambda row: (len(row["history"]), row["timestamps"]))


def test_a_line_is_what_a_shopper_did_before_the_test_period(dataset, tmp_path):
    assert write_history_lines(dataset, "test", tmp_path / "lines", count=10) == 3
    # Without history, as the first-time visitors that they were: cat and eve.
    assert lines(tmp_path / "lines")[:2] == [{"history": [], "events": [], "timestamps": []}] * 2
    assert lines(tmp_path / "lines")[2] == {
        "history": ["a", "b", "a", "c"],
        "events": ["purchase", "purchase", "return", "purchase"],
        "timestamps": [START + day * DAY for day in (1, 2, 3, 85)],
        "context": {"country": "NL"},
    }


def test_the_load_test_reads_what_was_written(dataset, tmp_path):
    write_history_lines(dataset, "train", tmp_path / "lines", count=10)
    shoppers = sorted(read_shoppers(tmp_path / "lines"), key=lambda one: len(one.history))
    assert shoppers[0] == Shopper(("b",), ("purchase",), (START + 5 * DAY,), {"country": "UK"})


def test_no_shopper_can_be_recognised(dataset, tmp_path):
    write_history_lines(dataset, "test", tmp_path / "lines", count=10)
    written = (tmp_path / "lines").read_text(encoding="utf-8")
    for user in dataset.histories("test").user:
        assert user not in written


def test_the_draw_is_that_of_its_seed(dataset, tmp_path):
    for name, seed in (("one", 1), ("two", 1)):
        assert write_history_lines(dataset, "test", tmp_path / name, count=2, seed=seed) == 2
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text()
    drawn = set()
    for seed in range(10):
        write_history_lines(dataset, "test", tmp_path / "seeded", count=1, seed=seed)
        drawn.add((tmp_path / "seeded").read_text())
    assert len(drawn) == 2


def test_an_unknown_split_is_a_mistake_of_the_user(dataset, tmp_path):
    with pytest.raises(UserError, match="there is no split 'dev'"):
        write_history_lines(dataset, "dev", tmp_path / "lines", count=1)
