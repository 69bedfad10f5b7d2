"""Configurations from files, names, mappings and other configurations, and changes to them."""

import pytest

import tfrec
from tfrec.config import ExperimentConfig, change_config, dump_config, load_config
from tfrec.data.sample import sample_path
from tfrec.errors import UserError


def test_sources(tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text("seed: 7\n")
    assert tfrec.configure() == ExperimentConfig()
    assert tfrec.configure(file).seed == tfrec.configure(str(file)).seed == 7
    assert tfrec.configure({"seed": 8}).seed == 8
    assert tfrec.configure(ExperimentConfig(seed=9)).seed == 9
    shipped = load_config(sample_path() / "config.yaml")
    assert tfrec.configure("online_retail") == shipped


def test_changes_leave_the_rest():
    before = ExperimentConfig(seed=3)
    after = tfrec.configure(
        before, {"retrieval.training.epochs": 2, "ranking.event_weights": {"cart": 0.5}}
    )
    assert after.retrieval.training.epochs == 2 and after.ranking.event_weights == {"cart": 0.5}
    assert after.seed == 3 and before.retrieval.training.epochs == 30
    assert change_config(after, {"retrieval.training.epochs": 30, "ranking.event_weights": {}}) == (
        before
    )
    assert dump_config(change_config(before, {})) == dump_config(before)


@pytest.mark.parametrize("changes, message", [
    ({"retrieval.training.epoch": 2}, "did you mean `retrieval.training.epochs`"),
    ({"retreival.dropout": 0.1}, "did you mean `retrieval`"),
    ({"seed.x": 1}, "the changes: `seed` should be a whole number"),
    ({"retrieval.dropout": "high"}, "`retrieval.dropout` should be a number"),
])  # fmt: skip
def test_wrong_changes(changes, message):
    with pytest.raises(UserError, match=message):
        tfrec.configure(None, changes)


def test_wrong_sources():
    with pytest.raises(UserError, match="the configuration: unknown key `sed`"):
        tfrec.configure({"sed": 1})
    with pytest.raises(UserError, match="no configuration file online_retial"):
        tfrec.configure("online_retial")
