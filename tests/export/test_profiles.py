"""Portraits of shoppers: by the command, by the exported signature, after a refresh."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner

from pipelines import profile
from tests.export.asking import ask, history
from tests.export.conftest import load, write
from tests.export.shop import items_frame
from tfrec.errors import UserError
from tfrec.export.exporter import export_run
from tfrec.export.refresh import refresh_index
from tfrec.profiles.tables import ARRAYS, NAMES
from tfrec.training.loading import TrainedRun
from tfrec.training.profiles import PROFILES, complete_log, run_profiles

IDS = items_frame()["item_id"].tolist()


@pytest.fixture(scope="module")
def drawn(run_folder, tmp_path_factory):
    """The run with what portraits are drawn with, the portraits, and what the command said."""
    folder = tmp_path_factory.mktemp("profiles")
    shutil.copytree(run_folder, folder / "run")
    out = folder / "portraits.parquet"
    arguments = ["--run", str(folder / "run"), "--out", str(out), "--json"]
    done = CliRunner().invoke(profile.command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return folder / "run", out, json.loads(done.stdout)


@pytest.fixture(scope="module")
def exported(drawn, tmp_path_factory):
    models = tmp_path_factory.mktemp("portrayed") / "models"
    export_run(drawn[0], models)
    return models


def test_every_shopper_has_a_portrait_and_a_segment(drawn, trained):
    portraits = pd.read_parquet(drawn[1])
    log = complete_log(trained.dataset)
    assert portraits["user"].tolist() == sorted(log.user)
    sizes = portraits["segment"].value_counts()
    assert {row["segment"]: row["shoppers"] for row in drawn[2] if row["shoppers"]} == dict(sizes)
    assert portraits["events"].sum() == len(log.item)
    known = {value for values in items_frame()["categories"] for value in values.split(",")}
    named = {name for names in portraits["top_categories"] for name in names}
    assert named and named <= {value.strip() for value in known}


def test_the_log_is_whole_and_knows_the_last_context(trained):
    log = complete_log(trained.dataset)
    items, _, _ = trained.dataset.logged_events()
    assert len(log.item) == len(items)
    assert (log.context["country"] > 0).mean() > 0.9


def test_the_signature_draws_the_same(drawn, exported, trained):
    log, dataset = complete_log(trained.dataset), trained.dataset
    rows = np.flatnonzero(log.lengths > 2)[:5]
    places = [log.history(int(row)) for row in rows]
    countries = ["", *dataset.manifest.context_vocabularies["country"]]
    asked = history(
        [[IDS[item - 1] for item in log.item[place]] for place in places],
        [[dataset.event_types[event - 1] for event in log.event[place]] for place in places],
        [log.timestamp[place].tolist() for place in places],
        [countries[log.context["country"][place][-1]] for place in places],
    )
    now = tf.fill([len(rows)], tf.constant(log.timestamp.max(), tf.int64))
    answer = ask(load(exported / "retrieval").signatures["profile"], asked, {"now": now})
    portraits = pd.read_parquet(drawn[1]).set_index("user").loc[log.user[rows]]
    for name in ("segment", "price_band", "events", "purchases", "purchase_days"):
        assert answer[name].tolist() == portraits[name].tolist()
    for name in ("diversity", "price_middle", "days_since_last_event"):
        np.testing.assert_allclose(answer[name], portraits[name], rtol=1e-4, atol=1e-5)
    for names, row in zip(portraits["top_categories"], answer["top_categories"], strict=True):
        assert [name for name in row if name] == list(names)
    moments = portraits["next_purchase"].dropna()
    assert len(moments)
    seconds = {user: moment.timestamp() for user, moment in moments.items()}
    for user, found in zip(log.user[rows], answer["next_purchase"], strict=True):
        assert found == pytest.approx(seconds.get(user, 0), abs=120)


def test_a_refresh_keeps_it_and_an_export_without_has_none(exported, signatures, tmp_path):
    assert "profile" not in signatures["retrieval"]
    shutil.copytree(exported, tmp_path / "models")
    refresh_index(tmp_path / "models", write(tmp_path))
    answer = ask(
        load(tmp_path / "models" / "retrieval").signatures["profile"],
        history([["new-1", "nope"]]),
        {"now": tf.constant([0], tf.int64)},
    )
    assert answer["events"].tolist() == [1] and answer["segment"][0]


def test_a_portrait_can_be_erased_by_its_hash(drawn, tmp_path):
    path = tmp_path / "portraits.parquet"
    shutil.copyfile(drawn[1], path)
    user = pd.read_parquet(path)["user"][3]
    arguments = ["--out", str(path), "--erase", user]
    done = CliRunner().invoke(profile.command, arguments, catch_exceptions=False)
    assert done.stdout.startswith("Erased 1 portrait from")
    assert user not in set(pd.read_parquet(path)["user"])
    # What the run keeps knows no shopper.
    for name in (NAMES, ARRAYS):
        assert user.encode() not in (drawn[0] / PROFILES / name).read_bytes()


def test_mistakes_are_told(drawn, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(drawn[0], run)
    path = run / PROFILES / NAMES
    text = path.read_text()
    path.write_text(text.replace(json.loads(text)["retrieval"], "another"))
    with pytest.raises(UserError, match="another retrieval model; make them again with"):
        run_profiles(run, TrainedRun.open(run).dataset.path)
    path.write_text("{}")
    with pytest.raises(UserError, match="are damaged; make them again"):
        run_profiles(run)
    with pytest.raises(UserError, match="name it with --run"):
        CliRunner().invoke(
            profile.command, ["--out", str(tmp_path / "x")], catch_exceptions=False,
            standalone_mode=False,
        )  # fmt: skip
    with pytest.raises(UserError, match=r"x\.csv will be a Parquet file"):
        CliRunner().invoke(
            profile.command, ["--run", str(run), "--out", str(tmp_path / "x.csv")],
            catch_exceptions=False, standalone_mode=False,
        )  # fmt: skip
