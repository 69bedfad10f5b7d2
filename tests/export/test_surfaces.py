"""The surfaces of a run: fitted, exported, asked, and kept by a refresh."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner

import tfrec
from pipelines import train_surfaces
from tests.data.shop import START
from tests.export.asking import ask, history
from tests.export.conftest import load, write
from tests.export.shop import DAY, SOLD_OUT, items_frame, make_run
from tfrec.errors import UserError
from tfrec.export.exporter import export_run
from tfrec.export.refresh import refresh_index
from tfrec.export.retrieval import TASTE
from tfrec.surfaces import themes as surface_themes
from tfrec.surfaces.campaign import FEATURES, CampaignTables
from tfrec.surfaces.groups import groups_of_all
from tfrec.surfaces.themes import Theme
from tfrec.towers.bert.weights import find_weights
from tfrec.training.campaign import audience_of, fit_campaign
from tfrec.training.loading import TrainedRun
from tfrec.training.retrieval import text_tower_of
from tfrec.training.surfaces import CAMPAIGN, FITTED, SURFACES, Surfaces, run_surfaces

IDS = items_frame()["item_id"].tolist()
# What is bought together: three sets of four products, and the one product that all have.
SETS = [IDS[0:4], IDS[4:8], IDS[8:12]]
KINDS = ["for_you", "because_of", "buy_again", "trending", "new_for_you"]

CAMPAIGNS = CampaignTables(
    weights=np.linspace(-0.2, 0.2, len(FEATURES)).astype(np.float32),
    centre=np.array(0.5, np.float32),
    log_recent=np.log(np.full(len(IDS) + 1, 0.1, np.float32)),
    days=np.array(30),
)


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
    # Twelve titles make no themes; any weights show that all inputs count.
    assert not (fitted_run[0] / SURFACES / CAMPAIGN).exists()
    CAMPAIGNS.save(fitted_run[0] / SURFACES / CAMPAIGN)
    export_run(fitted_run[0], models)
    return models


@pytest.fixture(scope="module")
def cart(exported):
    return load(exported / "retrieval").signatures["cart"]


@pytest.fixture(scope="module")
def search(exported):
    return load(exported / "retrieval").signatures["search"]


@pytest.fixture(scope="module")
def filtered(exported):
    return load(exported / "retrieval").signatures["filtered_search"]


def basket(*rows, excluded=""):
    width = max(len(row) for row in rows)
    padded = [[*row, *[""] * (width - len(row))] for row in rows]
    return {
        "basket_item_id": np.array(padded),
        "exclude_item_id": np.array([[excluded]] * len(rows)),
    }


def test_the_command_tells_how_well_validation_orders_are_completed(fitted_run):
    run, said = fitted_run
    assert "On validation data: search_recall@10 " in said and "cart_ndcg@10 " in said
    record = json.loads((run / SURFACES / "run.json").read_text())
    assert record["status"] == "finished"
    # Two of a set are seen, so one of the other two is the hidden one: first or second.
    assert record["metrics"]["buy_again_log_loss"] < record["metrics"]["buy_again_base_log_loss"]
    assert record["metrics"]["cart_ndcg@10"] > (1 + 1 / np.log2(3)) / 2 - 0.1


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


def found(signature, *queries, history_items=("",), **filters):
    """Returns the first ids and scores of a search for each query, all with one history."""
    inputs = {"query": tf.constant(queries), **history([list(history_items)] * len(queries))}
    return ask(signature, inputs | filters)


def filters(category="", price_from=np.nan, price_to=np.nan, sold_out=False):
    return {
        "filter_category": tf.constant([[category]]),
        "filter_price_from": tf.constant([price_from], tf.float32),
        "filter_price_to": tf.constant([price_to], tf.float32),
        "include_sold_out": tf.constant([sold_out]),
    }


def test_search_forgives_typos_and_word_order(search):
    titles = dict(zip(IDS, items_frame()["title"], strict=True))
    queries = {"ligth holder": "light holder", "BLUE, usb cabel": "blue usb cable"}
    queries |= {"dress cotton red": "red cotton dress"}
    answer = found(search, *queries)
    for row, title in enumerate(queries.values()):
        assert title in titles[answer["item_id"][row][0]]


def test_a_history_leans_the_answer_and_no_more(search):
    plain = found(search, "lamp")
    leaning = found(search, "lamp", history_items=IDS[8:10])
    assert np.abs(leaning["score"] - plain["score"]).max() <= 2 * TASTE
    assert not np.allclose(leaning["score"], plain["score"])


@pytest.mark.parametrize(
    "query", ["🎄🎁", "'; DROP TABLE items; --", "red " * 2500, "\n\t", "红色"]
)
def test_any_query_has_a_full_answer_without_what_is_sold_out(search, query):
    answer = found(search, query)
    assert all(answer["item_id"][0]) and SOLD_OUT not in answer["item_id"][0]
    assert np.isfinite(answer["score"]).all()


def test_a_query_without_words_is_answered_by_taste(search):
    emoji = found(search, "🎄", "🎁🎁")
    assert emoji["item_id"][0].tolist() == emoji["item_id"][1].tolist()
    theirs = found(search, "🎄", history_items=IDS[8:10])
    assert not np.allclose(theirs["score"][0], emoji["score"][0])


def test_a_long_query_is_cut(search):
    head = "blue lamp " + "x" * 300
    cut = found(search, head[:256])
    assert found(search, head + "usb" * 3000)["score"].tolist() == cut["score"].tolist()


def test_filters_leave_what_passes_them(filtered):
    items = items_frame().set_index("item_id")
    shown = found(filtered, "red lamp", **filters(category="Delft"))["item_id"][0]
    assert set(shown) == set(items.index[items["brand"] == "Delft"]) | {""}
    shown = found(filtered, "red lamp", **filters(category="cotton"))["item_id"][0]
    cotton = items["categories"].str.contains("cotton")
    assert set(shown) == set(items.index[cotton]) | {""}
    shown = found(filtered, "red lamp", **filters(price_from=2.0, price_to=4.0))["item_id"][0]
    between = items["price"].between(2, 4) & items["available"]
    assert set(shown) == set(items.index[between]) | {""}
    shown = found(filtered, "red lamp", **filters(price_to=4.0, sold_out=True))["item_id"][0]
    assert SOLD_OUT in shown
    assert not any(found(filtered, "red lamp", **filters(category="none"))["item_id"][0])


def test_no_filter_is_the_plain_search(search, filtered):
    plain = found(search, "red lamp")
    assert found(filtered, "red lamp", **filters())["score"].tolist() == plain["score"].tolist()


def test_the_search_in_this_process_is_the_same(fitted_run, search, filtered):
    recommender = tfrec.Recommender.load(fitted_run[0])
    answer = recommender.search("blu lampe", k=5)
    assert answer.item_ids == found(search, "blu lampe")["item_id"][0].tolist()
    dear = recommender.search("blu lampe", k=5, price_from=4, categories=["Acme", "Delft"])
    assert dear.item_ids
    assert all(item.price >= 4 for item in dear)
    with pytest.raises(UserError, match="no price is from 4 to 1"):
        recommender.search("blu lampe", price_from=4, price_to=1)


def test_the_answer_in_this_process_is_the_same(fitted_run, cart):
    recommender = tfrec.Recommender.load(fitted_run[0])
    answer = recommender.cart([*SETS[1][:2], "unknown"], k=3)
    assert answer.item_ids == ask(cart, basket(SETS[1][:2]))["item_id"][0][:3].tolist()
    with pytest.raises(UserError, match="no item of q is in the catalogue"):
        recommender.cart(["q"])
    with pytest.raises(UserError, match="a list of item ids, not the text 'item-01'"):
        recommender.cart("item-01")


def asked(*rows, excluded=""):
    """Returns the inputs of a request about histories, with what must not be shown."""
    return {**history(list(rows)), "exclude_item_id": np.array([[excluded]] * len(rows))}


def now(*moments):
    return {"now": np.array(moments, np.int64)}


@pytest.fixture(scope="module")
def retrieval(exported):
    return load(exported / "retrieval").signatures


@pytest.fixture(scope="module")
def home_page(exported):
    return load(exported / "recommender").signatures["home_page"]


HISTORIES = ([IDS[0], IDS[1], IDS[0]], ["", "", ""], [IDS[4], "unknown", IDS[5]])


def test_no_product_stands_twice_on_a_home_page(home_page):
    pages = ask(home_page, asked(*HISTORIES, excluded=IDS[2]), now(0, 0, 0))
    assert pages["shelf"].tolist() == [KINDS] * 3
    for row in range(3):
        shown = pages["item_id"][row][pages["item_id"][row] != ""].tolist()
        assert shown and len(set(shown)) == len(shown)
        assert not {SOLD_OUT, IDS[2]} & set(shown)
        left_out = pages["state"][row] == "left_out"
        assert (left_out == (pages["item_id"][row] == "").all(axis=1)).all()
    # The shelf that is because of something says of what; nobody who did nothing has it.
    because = KINDS.index("because_of")
    assert [pages["reason_item_id"][row, because] for row in (0, 2)] == [IDS[0], IDS[5]]
    assert pages["state"][1, because] == pages["state"][1, KINDS.index("buy_again")] == "left_out"
    assert (np.delete(pages["reason_item_id"], because, axis=1) == "").all()


def test_the_first_shelf_is_what_is_recommended(exported, home_page):
    request = asked(*HISTORIES)
    recommended = load(exported / "recommender").signatures["serving_default"]
    first = ask(home_page, request, now(0, 0, 0))["item_id"][:, 0, :5]
    assert first.tolist() == ask(recommended, request)["item_id"].tolist()


def test_rows_of_a_batch_of_pages_do_not_touch_each_other(home_page):
    together = ask(home_page, asked(*HISTORIES), now(0, 0, 0))
    for row, items in enumerate(HISTORIES):
        alone = ask(home_page, asked(items), now(0))
        assert together["item_id"][row].tolist() == alone["item_id"][0].tolist()


def test_a_shopper_with_a_hundred_thousand_events_has_a_page(home_page, retrieval):
    events = [IDS[place % 12] for place in range(100_000)]
    page = ask(home_page, asked(events), now(0))
    shown = page["item_id"][page["item_id"] != ""]
    assert len(shown) and len(set(shown.tolist())) == len(shown)
    again = ask(retrieval["buy_again"], asked(events), now(0))
    assert all(again["item_id"][0]) and np.isfinite(again["score"]).all()
    # Who knows every kind of product is shown no other.
    assert not any(ask(retrieval["other_categories"], asked(events))["item_id"][0])


def test_what_is_bought_again_was_bought(retrieval):
    signature = retrieval["buy_again"]
    items = [[IDS[0], IDS[5], IDS[0], IDS[5]]]
    days = [[START + day * DAY for day in (0, 3, 20, 90)]]
    inputs = {**history(items, timestamps=days), "exclude_item_id": np.array([[""]])}
    answer = ask(signature, inputs, now(START + 100 * DAY))
    assert set(answer["item_id"][0]) == {IDS[0], IDS[5], ""}
    chances = answer["score"][0][:2]
    assert np.all(np.diff(chances) <= 0) and np.all((chances > 0) & (chances < 1))
    assert (answer["score"][0][2:] == 0).all()
    first = answer["item_id"][0].tolist().index(IDS[0])
    due = answer["interval_days"][0] - answer["due_in_days"][0]
    assert due[first] == pytest.approx(80, abs=0.01)
    # Later it is longer ago, and nothing is bought again by who has bought nothing.
    later = ask(signature, inputs, now(START + 110 * DAY))
    place = later["item_id"][0].tolist().index(IDS[0])
    passed = answer["due_in_days"][0][first] - later["due_in_days"][0][place]
    assert passed == pytest.approx(10, abs=0.01)
    assert not any(ask(signature, asked([""]), now(0))["item_id"][0])
    hidden = ask(signature, asked([IDS[0]], excluded=IDS[0]), now(0))
    assert not any(hidden["item_id"][0])


def test_other_categories_are_others(retrieval, fitted_run):
    run = TrainedRun.open(fitted_run[0])
    known = Surfaces.find(fitted_run[0] / SURFACES, run.retrieval).shelves.group
    assert len(set(known.tolist())) > 2
    kinds = groups_of_all(known, run.retrieval.catalogue.text.numpy()[1:])
    group = dict(zip(["", *IDS], kinds.tolist(), strict=True))
    answer = ask(retrieval["other_categories"], asked([IDS[0]], [IDS[1]], [""]))
    for row, item in enumerate((IDS[0], IDS[1])):
        shown = answer["item_id"][row][answer["item_id"][row] != ""]
        assert len(shown) and group[item] not in {group[other] for other in shown}
    assert all(answer["item_id"][2])


def test_every_text_has_a_probability_of_its_own(retrieval):
    signature = retrieval["campaign"]
    creatives = np.array([["red dress", "blue lamp"], ["🎄", "blue lamp"]])
    request = history([HISTORIES[0], [""]])
    found = ask(signature, request, {"creative": creatives}, now(0, 0))["probability"]
    assert found.shape == (2, 2) and np.all((found > 0) & (found < 1))
    assert found[0, 0] != found[0, 1] != found[1, 1]
    # What one text has does not depend on the others, nor on how they are cut.
    alone = ask(signature, history([HISTORIES[0]]), {"creative": creatives[:1, 1:]}, now(0))
    np.testing.assert_allclose(alone["probability"], found[:1, 1:], rtol=1e-4)
    long = "blue lamp " + "x" * 300
    cut = np.array([[long + "usb" * 3000, long[:256]]])
    same = ask(signature, history([HISTORIES[0]]), {"creative": cut}, now(0))["probability"]
    assert same[0, 0] == same[0, 1]


def test_an_audience_is_who_was_there_and_what_he_chose_later(fitted_run):
    dataset = TrainedRun.open(fitted_run[0]).dataset
    themes = [Theme("one", np.array([1, 2, 3])), Theme("other", np.array([7]))]
    audience = audience_of(dataset, "test", themes, seed=0)
    later = dataset.histories("test")
    chosen = {
        user: set(later.target_item[later.targets(place)].tolist())
        for place, user in enumerate(later.user)
    }
    assert set(audience.histories.user) == set(dataset.log_before("test").user)
    assert audience.bought.any() and not audience.bought.all()
    for user, line in zip(audience.histories.user, audience.bought, strict=True):
        for theme, bought in zip(themes, line, strict=True):
            assert bought == bool(chosen.get(user, set()) & set(theme.items.tolist()))
    assert audience.now == later.target_timestamp.min()


def test_campaigns_are_fitted_on_words_of_the_titles(fitted_run, monkeypatch):
    monkeypatch.setattr(surface_themes, "FEWEST", 2)
    monkeypatch.setattr(surface_themes, "MOST", 1.0)
    run = TrainedRun.open(fitted_run[0])
    encode = text_tower_of(
        run.retrieval, find_weights(run.config.text.bert), run.config.text.max_tokens
    )
    tables, metrics = fit_campaign(run.dataset, run.retrieval, encode, seed=0)
    assert metrics["campaign_log_loss"] < metrics["campaign_base_log_loss"]
    assert tables.weights.any() and np.isfinite(tables.weights).all()
    np.testing.assert_allclose(np.exp(tables.log_recent).sum(), 1.0, rtol=1e-4)


def test_similar_leaves_out_the_item_and_unknown_items_have_none(retrieval):
    answer = ask(retrieval["similar"], {"item_id": np.array([IDS[0], "unknown"])})
    assert IDS[0] not in answer["item_id"][0] and all(answer["item_id"][0])
    assert SOLD_OUT not in answer["item_id"][0]
    assert not any(answer["item_id"][1])


def test_without_a_history_what_sells_is_shown_in_both_models(exported, fitted_run):
    run = TrainedRun.open(fitted_run[0])
    values = Surfaces.find(fitted_run[0] / SURFACES, run.retrieval).opening.values
    order = [IDS[item - 1] for item in np.argsort(-values[1:]) + 1]
    wanted = [item for item in order if item not in (SOLD_OUT, order[0])][:5]
    for model in ("retrieval", "recommender"):
        signature = load(exported / model).signatures["serving_default"]
        answer = ask(signature, asked([""], excluded=order[0]))
        assert answer["item_id"][0].tolist() == wanted
        assert np.all(np.diff(answer["score"][0]) < 0)
        # From the first event on the models decide.
        assert ask(signature, asked([IDS[7]]))["item_id"][0].tolist() != order[:5]


def test_a_refresh_keeps_the_surfaces_and_lets_new_products_in(exported, cart, tmp_path):
    refresh_index(exported, write(tmp_path))
    after = load(exported / "retrieval").signatures["cart"]
    before = ask(cart, basket(SETS[1][:2]))
    refreshed = ask(after, basket(SETS[1][:2]))
    known = [item for item in refreshed["item_id"][0] if item in IDS]
    assert set(known[:2]) == set(before["item_id"][0][:2])
    assert all(ask(after, basket(["new-1"]))["item_id"][0])
    # A product without a purchase has products like it, and a page is because of it.
    signatures = load(exported / "retrieval").signatures
    assert all(ask(signatures["similar"], {"item_id": np.array(["new-1"])})["item_id"][0])
    page = load(exported / "recommender").signatures["home_page"]
    answer = ask(page, asked(["new-1"]), now(0))
    because = KINDS.index("because_of")
    assert answer["reason_item_id"][0, because] == "new-1"
    assert "new-1" not in answer["item_id"][0, because]


def test_the_surfaces_in_this_process_are_the_same(exported, fitted_run):
    recommender = tfrec.Recommender.load(fitted_run[0])
    days = [START, START + 3 * DAY]
    page = recommender.home(IDS[:2], timestamps=days, now=START + 40 * DAY)
    assert next(iter(page)) == "for_you" and set(page) <= set(KINDS)
    shown = [item for shelf in page.values() for item in shelf.item_ids]
    assert len(shown) == len(set(shown))
    again = recommender.buy_again(IDS[:2], timestamps=days, now=START + 40 * DAY)
    assert set(again["item_id"]) == set(IDS[:2])
    assert again["probability"].is_monotonic_decreasing
    np.testing.assert_allclose(
        np.sort(again["interval_days"] - again["due_in_days"]), [37, 40], atol=0.01
    )
    assert len(recommender.other_categories([IDS[0]], k=3)) == 3
    chances = recommender.campaign(["red dress", "lamps"], IDS[:2])
    assert chances.index.tolist() == ["red dress", "lamps"] and chances.between(0, 1).all()
    with pytest.raises(UserError, match="creatives should be a list of texts"):
        recommender.campaign("lamps")
    with pytest.raises(UserError, match="no item of q is in the catalogue"):
        recommender.home(["q"])


def test_a_run_without_surfaces_has_no_cart(run_folder, signatures):
    assert "cart" not in signatures["retrieval"]
    with pytest.raises(UserError, match="no surface `cart`; fit the surfaces of the run with"):
        tfrec.Recommender.load(run_folder).cart(["item-01"])
    with pytest.raises(UserError, match="no surface `home_page`"):
        tfrec.Recommender.load(run_folder).home(["item-01"])


def test_a_log_without_orders_has_a_search_and_no_cart(run_folder, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    _, metrics = run_surfaces(run)
    assert not {name for name in metrics if name.startswith("cart")}
    assert "no cart: the data set" in capsys.readouterr().err
    with pytest.raises(UserError, match="no surface `cart`"):
        tfrec.Recommender.load(run).cart(["item-01"])


def test_surfaces_of_another_model_are_told(fitted_run, tmp_path):
    fitted = fitted_run[0] / SURFACES / FITTED
    content = fitted.read_text()
    fitted.write_text(json.dumps({**json.loads(content), "retrieval": "other"}))
    with pytest.raises(UserError, match="were fitted with another retrieval model"):
        export_run(fitted_run[0], tmp_path / "models")
    fitted.write_text(content)
    with pytest.raises(UserError, match="already holds a finished run"):
        run_surfaces(fitted_run[0])
