"""New products from a table, as the command takes them from a file."""

import pandas as pd
import pytest

import tfrec
from tfrec.config import ExperimentConfig
from tfrec.errors import UserError


def test_a_table_becomes_the_file_that_the_command_takes(monkeypatch):
    given = []
    monkeypatch.setattr(
        "tfrec.api.launching.refresh",
        lambda models, items, config: given.append((models, pd.read_parquet(items), config)),
    )
    table = pd.DataFrame({"item_id": ["new"], "title": ["owl"]})
    tfrec.refresh_index("models", table)
    tfrec.refresh_index("models", table, {"seed": 7})
    (models, rows, none), (_, _, config) = given
    assert models == "models" and rows.equals(table) and none is None
    assert config == ExperimentConfig(seed=7)


def test_mistakes_keep_their_sentence(tmp_path):
    with pytest.raises(UserError, match="no models folder"):
        tfrec.refresh_index(tmp_path / "models", "items.csv")
