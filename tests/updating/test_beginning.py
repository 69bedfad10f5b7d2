"""What the first update takes over from the version that is served, and from a configuration."""

import pytest

from tests.updating.small_shop import Shop
from tfrec.config import ExperimentConfig, parse_config
from tfrec.export.exporter import export_run
from tfrec.updating.beginning import begin
from tfrec.updating.state import UpdateState

EXPORTED = {
    "display": {"method": "mmr", "surfaces": {"cart": {"margin_power": 0.0}}},
    "surfaces": {"opening": False},
    "export": {"k": 4, "warmup_records": 0},
}


@pytest.fixture(scope="module")
def served(shop, tmp_path_factory) -> Shop:
    """The shop, exported with other settings than it was trained with."""
    copy = shop.copy(tmp_path_factory.mktemp("beginning"))
    settings = parse_config(EXPORTED, "export.yaml")
    export_run(copy.folder / "run", copy.models, settings=settings)
    return copy


def settings_after(served: Shop, folder, given: dict | None) -> ExperimentConfig:
    home = UpdateState(folder / "state")
    home.folder.mkdir()
    config = None if given is None else parse_config(given, "update.yaml")
    begin(home, served.models, served.folder / "run", None, config)
    return home.config


def test_settings_of_the_export_go_on(served, tmp_path):
    config = settings_after(served, tmp_path, None)
    exported = parse_config(EXPORTED, "export.yaml")
    for name in EXPORTED:
        assert getattr(config, name) == getattr(exported, name), name
    assert config.data == served.config.data and config.update == served.config.update


def test_only_what_a_configuration_names_changes(served, tmp_path):
    surfaces = {"opening": True}
    config = settings_after(served, tmp_path, {"update": {"train_days": 3}, "surfaces": surfaces})
    assert config.update.train_days == 3 and config.surfaces.opening
    assert config.display.method == "mmr" and config.export.k == 4
    assert config.data.user_salt == served.config.data.user_salt
