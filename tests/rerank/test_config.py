"""The section `display`: what is refused, in words for the one who wrote it."""

import pytest

from tfrec.config import DisplayConfig, SurfaceConfig, parse_config
from tfrec.errors import UserError


@pytest.mark.parametrize("section, message", [
    ({"diversity": 1.5}, "display.diversity"),
    ({"method": "random"}, "display.method"),
    ({"diversity": 0.5}, "diversity does nothing with `method: value`"),
    ({"places": 30, "depth": 20}, "30 places cannot be filled from the best 20"),
    ({"caps": {"brand": 0}}, "caps should be positive integers"),
    ({"exploration_share": 1.0}, "display.exploration_share"),
    ({"pinned": [{"item_id": "a", "place": 21}]}, "pinned to place 21, but only the first 20"),
    ({"pinned": [{"item_id": "a", "place": 2}, {"item_id": "b", "place": 2}]},
     "two products are pinned to place 2"),
    ({"pinned": [{"item_id": "a", "place": 2}], "promoted": [{"item_id": "a"}]},
     "a is pinned or promoted twice"),
    ({"promoted": [{"item_id": "a", "within": 21}]}, "due within 21 places, but only"),
    ({"pinned": [{"item_id": "p", "place": 1}],
      "promoted": [{"item_id": "a", "within": 2}, {"item_id": "b", "within": 2}]},
     "2 promoted products are due within the first 2 places, of which only 1 are not pinned"),
    ({"surfaces": {"for you": {}}}, "'for you' cannot be the name of a signature"),
    ({"surfaces": {"serving_default": {}}}, "cannot be the name of a signature"),
    ({"surfaces": {"home_page": {}}}, "cannot be the name of a signature"),
    ({"surfaces": {"home": {"diversty": 0.5}}}, "diversty"),
])  # fmt: skip
def test_mistakes(section, message):
    with pytest.raises(UserError) as error:
        parse_config({"display": section}, "shop.yaml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_is_arranged_by_default():
    assert not DisplayConfig().arranges and not SurfaceConfig(method="mmr", diversity=0).arranges


@pytest.mark.parametrize("settings", [
    {"method": "mmr"}, {"method": "dpp"}, {"caps": {"brand": 1}}, {"margin_power": 1.0},
    {"exploration_share": 0.1}, {"promoted": [{"item_id": "a"}]}, {"event_weights": {}},
    {"pinned": [{"item_id": "a", "place": 1}]}, {"return_penalty": 0.0},
])  # fmt: skip
def test_each_setting_arranges(settings):
    assert SurfaceConfig.model_validate(settings).arranges
