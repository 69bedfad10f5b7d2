"""The surfaces of a run: fitted, exported, asked, and kept by a refresh."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import tfrec
from pipelines import train_surfaces
from tests.data.shop import START
from tests.export.asking import ask
from tests.export.conftest import load, write
from tests.export.shop import DAY, SOLD_OUT, items_frame, make_run
from tfrec.errors import UserError
from tfrec.export.exporter import export_run
from tfrec.export.refresh import refresh_index
from tfrec.training.surfaces import FITTED, SURFACES, run_surfaces

IDS = items_frame()["item_id"].tolist()
# What is bought together: three sets of four products, and the one product that all have.
SETS = [IDS[0:4], IDS[4:8], IDS[8:12]]


def orders_frame() -> pd.DataFrame:
    """Every order is three products of one set."""
    random = np.random.default_rng(5)
    rows = []
    for shopper in range(60):
        for day in sorted(random.choice(100, 4, replace=False)):
            for item in random.permutation(SETS[shopper % 3])[:3]:
                rows.append((f"u{shopper}", item, START + int(day) * DAY, "purchase", 1, "NL"))
    columns = ["user_id", "item_id", "timestamp", "event", "quantity", "country"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="module")
def fitted_run(tmp_path_factory):
    """The run, and what the command said."""
    run = make_run(tmp_path_factory.mktemp("orders"), orders_frame())
    done = CliRunner().invoke(train_surfaces.command, ["--run", str(run)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return run, done.stdout


@pytest.fixture(scope="module")
def exported(fitted_run, tmp_path_factory):
    models = tmp_path_factory.mktemp("surfaces") / "models"
    export_run(fitted_run[0], models)
    return models


@pytest.fixture(scope="module")
def cart(exported):
    return load(exported / "retrieval").signatures["cart"]


def basket(*rows, excluded=""):
    width = max(len(row) for row in rows)
    padded = [[*row, *[""] * (width - len(row))] for row in rows]
    return {
        "basket_item_id": np.array(padded),
        "exclude_item_id": np.array([[excluded]] * len(rows)),
    }


def test_the_command_tells_how_well_validation_orders_are_completed(fitted_run):
    run, said = fitted_run
    assert "Cart on validation orders: valid_ndcg@10 " in said
    record = json.loads((run / SURFACES / "run.json").read_text())
    assert record["status"] == "finished"
    # Two of a set are seen, so one of the other two is the hidden one: first or second.
    assert record["metrics"]["valid_ndcg@10"] > (1 + 1 / np.log2(3)) / 2 - 0.1


def test_a_basket_is_completed_from_its_set(cart):
    answer = ask(cart, basket(SETS[1][:2], SETS[2][:3]))
    assert set(answer["item_id"][0][:2]) == set(SETS[1][2:])
    assert answer["item_id"][1][0] == SETS[2][3]


def test_nothing_of_the_basket_nor_excluded_nor_sold_out_is_shown(cart):
    answer = ask(cart, basket(SETS[0][:2], excluded=SETS[1][0]))
    shown = answer["item_id"][0].tolist()
    assert SETS[0][2] == shown[0]
    assert not {*SETS[0][:2], SETS[1][0], SOLD_OUT} & set(shown)
    assert np.all(np.diff(answer["score"][0]) <= 0)


def test_unknown_products_are_skipped(cart):
    known = ask(cart, basket(SETS[1][:2]))
    with_unknown = ask(cart, basket(["no such thing", *SETS[1][:2], "?" * 5000]))
    assert with_unknown["item_id"].tolist() == known["item_id"].tolist()
    nothing = ask(cart, basket(["no such thing"]))
    assert nothing["item_id"].tolist() == ask(cart, basket([""]))["item_id"].tolist()
    assert all(nothing["item_id"][0])


def test_the_answer_in_this_process_is_the_same(fitted_run, cart):
    recommender = tfrec.Recommender.load(fitted_run[0])
    answer = recommender.cart([*SETS[1][:2], "unknown"], k=3)
    assert answer.item_ids == ask(cart, basket(SETS[1][:2]))["item_id"][0][:3].tolist()
    with pytest.raises(UserError, match="no item of q is in the catalogue"):
        recommender.cart(["q"])
    with pytest.raises(UserError, match="a list of item ids, not the text 'item-01'"):
        recommender.cart("item-01")


def test_a_refresh_keeps_the_surfaces_and_lets_new_products_in(exported, cart, tmp_path):
    refresh_index(exported, write(tmp_path))
    after = load(exported / "retrieval").signatures["cart"]
    before = ask(cart, basket(SETS[1][:2]))
    refreshed = ask(after, basket(SETS[1][:2]))
    known = [item for item in refreshed["item_id"][0] if item in IDS]
    assert set(known[:2]) == set(before["item_id"][0][:2])
    assert all(ask(after, basket(["new-1"]))["item_id"][0])


def test_a_run_without_surfaces_has_no_cart(run_folder, signatures):
    assert "cart" not in signatures["retrieval"]
    with pytest.raises(UserError, match="no surface `cart`; fit the surfaces of the run with"):
        tfrec.Recommender.load(run_folder).cart(["item-01"])


def test_a_log_without_orders_is_told(run_folder):
    with pytest.raises(UserError, match="has no orders of several lines"):
        run_surfaces(run_folder)


def test_surfaces_of_another_model_are_told(fitted_run, tmp_path):
    fitted = fitted_run[0] / SURFACES / FITTED
    content = fitted.read_text()
    fitted.write_text(json.dumps({**json.loads(content), "retrieval": "other"}))
    with pytest.raises(UserError, match="were fitted with another retrieval model"):
        export_run(fitted_run[0], tmp_path / "models")
    fitted.write_text(content)
    with pytest.raises(UserError, match="already holds a finished run"):
        run_surfaces(fitted_run[0])
