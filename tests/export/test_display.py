"""Display order inside the exported recommender."""

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from pipelines import export
from tests.export.asking import ask, history, nothing
from tests.export.conftest import load
from tests.export.shop import SOLD_OUT
from tfrec.config import change_config, dump_config
from tfrec.errors import UserError
from tfrec.export.exporter import exportable_of
from tfrec.export.refresh import refresh_index

PIN = "item-09"
ARRANGED = {"places": 4, "depth": 6}
SURFACES = {
    "diverse": {**ARRANGED, "method": "dpp", "diversity": 1.0},
    "pinned": {**ARRANGED, "pinned": [{"item_id": PIN, "place": 2}]},
    "capped": {**ARRANGED, "method": "mmr", "caps": {"brand": 1}},
    "lucky": {**ARRANGED, "exploration_share": 0.8},
}
HISTORY = history([["item-00", "item-01", "item-02"]])


def settings(trained, **display):
    return change_config(
        trained.config, {f"display.{key}": value for key, value in display.items()}
    )


@pytest.fixture(scope="module")
def arranged(run_folder, trained, tmp_path_factory):
    """The recommender as the command exports it with four surfaces."""
    folder = tmp_path_factory.mktemp("arranged")
    config = folder / "shop.yaml"
    config.write_text(dump_config(settings(trained, surfaces=SURFACES)), encoding="utf-8")
    arguments = ["--run", str(run_folder), "--models", str(folder / "models")]
    done = CliRunner().invoke(export.command, [*arguments, "--config", str(config)])
    assert done.exit_code == 0, done.output
    return folder / "models"


@pytest.fixture(scope="module")
def surfaces(arranged):
    # The signatures live as long as what they were loaded from.
    model = load(arranged / "recommender")
    yield model.signatures
    del model


def seed(*values):
    return {"seed": tf.constant(values)}


def test_surfaces_are_signatures_beside_the_default(surfaces):
    assert set(surfaces) == {"serving_default", *SURFACES}
    inputs = surfaces["serving_default"].structured_input_signature[1]
    assert "seed" not in inputs
    for name in SURFACES:
        assert set(surfaces[name].structured_input_signature[1]) == {*inputs, "seed"}


def test_the_default_answers_as_before(surfaces, signatures):
    before = ask(signatures["recommender"]["serving_default"], HISTORY, nothing(1))
    after = ask(surfaces["serving_default"], HISTORY, nothing(1))
    assert (before["item_id"] == after["item_id"]).all()
    assert set(after["placement"][0]) == {"ranked"}


def test_a_score_stays_with_its_item_whatever_the_place(surfaces):
    plain = ask(surfaces["serving_default"], HISTORY, nothing(1))
    scores = dict(zip(plain["item_id"][0], plain["score"][0], strict=True))
    for name in SURFACES:
        answer = ask(surfaces[name], HISTORY, nothing(1), seed("s"))
        for item, score in zip(answer["item_id"][0], answer["score"][0], strict=True):
            if item in scores:
                assert score == pytest.approx(scores[item], rel=1e-4)


def test_each_surface_has_its_order(surfaces):
    orders = {
        name: ask(surfaces[name], HISTORY, nothing(1), seed("s"))["item_id"][0].tolist()
        for name in SURFACES
    }
    plain = ask(surfaces["serving_default"], HISTORY, nothing(1))["item_id"][0].tolist()
    assert orders["diverse"] != plain
    assert orders["pinned"][1] == PIN
    for order in orders.values():
        assert len(set(order)) == len(order) and SOLD_OUT not in order


def test_an_excluded_product_is_not_pinned(surfaces):
    out = {"exclude_item_id": tf.constant([[PIN]])}
    answer = ask(surfaces["pinned"], HISTORY, out, seed("s"))
    assert PIN not in answer["item_id"] and "pinned" not in answer["placement"]


def test_caps_that_cannot_be_kept_are_said(surfaces, trained):
    brands = dict(
        zip(trained.dataset.items["item_id"], trained.dataset.items["brand"], strict=True)
    )
    answer = ask(surfaces["capped"], HISTORY, nothing(1), seed("s"))
    # Three brands, one of them none: what is not over the cap never repeats a brand.
    first = list(zip(answer["item_id"][0, :4], answer["placement"][0, :4], strict=True))
    kept = [brands[item] for item, why in first if why != "over_cap" and brands[item]]
    assert len(kept) == len(set(kept))


def test_the_seed_of_the_request_decides_what_chance_shows(surfaces):
    def order(name):
        return ask(surfaces["lucky"], HISTORY, nothing(1), seed(name))["item_id"][0].tolist()

    assert order("a") == order("a")
    assert len({tuple(order(name)) for name in "abcdefgh"}) > 3


def test_a_shopper_alone_and_padded_sees_what_he_sees_in_a_batch(surfaces):
    longer = history([["item-00", "item-01", "item-02"], ["item-05"] * 6])
    for name in SURFACES:
        alone = ask(surfaces[name], HISTORY, nothing(1), seed("s"))
        together = ask(surfaces[name], longer, nothing(2), seed("s", "t"))
        assert (alone["item_id"][0] == together["item_id"][0]).all()
        assert (alone["placement"][0] == together["placement"][0]).all()


def test_without_a_seed_the_history_decides(run_folder, trained):
    from tfrec.api.local_models import LocalModels

    config = settings(trained, exploration_share=0.8, **ARRANGED)
    local = LocalModels(exportable_of(run_folder, trained, config))

    def order(items):
        request = {**history([items]), **nothing(1)}
        return local.ask("recommender", "serving_default", request)["item_id"][0].tolist()

    histories = [["item-00"] * count for count in range(1, 6)]
    assert order(histories[0]) == order(["", *histories[0], "nope"])
    assert len({tuple(order(items)) for items in histories}) > 2


@pytest.mark.parametrize("product, what", [(SOLD_OUT, "out of stock"), ("gone", "not in the cat")])
def test_products_that_cannot_be_shown_stop_an_export(run_folder, trained, product, what):
    config = settings(trained, pinned=[{"item_id": product, "place": 1}])
    with pytest.raises(UserError, match=what):
        exportable_of(run_folder, trained, config)


def test_a_refresh_keeps_the_surfaces_and_skips_what_is_sold_out(arranged, trained, tmp_path):
    items = trained.dataset.items[["item_id", "title", "price"]].assign(available=True)
    items["available"] = items["item_id"] != PIN
    items.to_parquet(tmp_path / "items.parquet", index=False)
    refreshed = refresh_index(arranged, tmp_path / "items.parquet")
    assert refreshed.exported is not None
    model = load(arranged / "recommender")
    assert set(SURFACES) < set(model.signatures)
    answer = ask(model.signatures["pinned"], HISTORY, nothing(1), seed("s"))
    assert PIN not in answer["item_id"] and "pinned" not in answer["placement"]
    assert np.count_nonzero(answer["item_id"][0] != "") == answer["item_id"].shape[1]
    with pytest.raises(UserError, match="out of stock"):
        refresh_index(arranged, tmp_path / "items.parquet", settings(trained, surfaces=SURFACES))
