import pandas as pd
import pytest

from tests.conftest import ROOT
from tfrec.config import load_config
from tfrec.data.sample import sample_path


def test_the_shipped_shop_has_its_size_and_its_attribution():
    folder = sample_path()
    events = pd.read_parquet(folder / "events.parquet")
    assert len(events) == 404_893
    assert events["event"].value_counts().to_dict() == {"purchase": 396_370, "return": 8_523}
    assert len(pd.read_parquet(folder / "items.parquet")) == 3_659
    attribution = (folder / "ATTRIBUTION.md").read_text()
    for words in ("Daqing Chen", "CC BY 4.0", "UCI Machine Learning Repository", "median"):
        assert words in attribution


def test_its_experiment_is_shipped_with_it_and_is_the_one_in_configs():
    config = load_config(sample_path() / "config.yaml")
    assert (config.data.adapter, config.data.context_columns) == ("generic", ["country"])
    assert config.data.split == "temporal" and config.data.test_days == 30
    assert (ROOT / "configs/online_retail.yaml").resolve() == sample_path() / "config.yaml"


def test_an_unknown_sample_is_a_programmers_error():
    with pytest.raises(ValueError, match=r"`name` should be .*Received: name='netflix'"):
        sample_path("netflix")
