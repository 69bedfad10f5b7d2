"""An update from end to end, stopped after every step."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from pipelines import lineage as lineage_command
from pipelines import update as update_command
from tests.updating.small_shop import NEW_COUNTRY, NEW_ITEM
from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.export.bundle import Bundle
from tfrec.export.versions import MODELS, versions_of
from tfrec.files import read_json
from tfrec.training.loading import TrainedRun
from tfrec.updating import gate
from tfrec.updating import generation as generation_module
from tfrec.updating.gate import Verdict
from tfrec.updating.lineage import lineage_of
from tfrec.updating.log import LOG, log_of
from tfrec.updating.rollback import roll_back
from tfrec.updating.state import UpdateState


def generation(shop):
    return UpdateState(shop.state).generation(1)


def test_every_step_is_done_once_whatever_was_stopped(updated_shop):
    shop, updated, stopped = updated_shop
    assert stopped == [
        *("batch", "data", "retrieval", "ranking", "train and judge", "publish", "ledger")
    ]
    # Stopped after the ledger, the update was over: the last call found the batch in it.
    assert updated.repeated
    assert updated.entry.outcome == "published"
    for name in MODELS:
        assert list(versions_of(shop.models / name))[1:] == [updated.entry.version]


def test_data_grow_at_the_end(updated_shop, shop):
    copy, updated, _ = updated_shop
    before = PreparedDataset.open(shop.folder / "data")
    after = PreparedDataset.open(generation(copy) / "data", verify=True)
    ids = after.items["item_id"].tolist()
    assert ids == [*before.items["item_id"], NEW_ITEM]
    known = before.manifest.context_vocabularies["country"]
    assert after.manifest.context_vocabularies["country"] == [*known, NEW_COUNTRY]
    assert after.manifest.events.rows_kept == len(log_of(before)) + updated.entry.batch["accepted"]
    batch = pd.read_parquet(copy.batch(1))
    assert updated.entry.batch["accepted"] == len(batch)
    assert len(pd.read_parquet(generation(copy) / "data" / LOG)) == after.manifest.events.rows_kept


def test_the_published_models_know_the_new_product_and_the_whole_log(updated_shop):
    copy, _, _ = updated_shop
    bundle = Bundle.open(copy.models)
    assert NEW_ITEM in bundle.items()["item_id"].tolist()
    run = TrainedRun.open(generation(copy) / "served")
    assert run.retrieval.spec.num_ids == len(bundle.items())
    assert run.retrieval.spec.vector_sizes == {"image_embedding": 3}
    pictures = run.retrieval.catalogue.vectors["image_embedding"].numpy()
    assert pictures[run.dataset.item_index()[NEW_ITEM]].tolist() == [1, 39, 2]
    assert pictures[1:3].tolist() == [[0, 0, 0], [1, 1, 2]]
    log = run.dataset.whole_log()
    last = run.dataset.item_index()[NEW_ITEM]
    bought = (log.item == last) & (log.event == run.dataset.target_event_indices[0])
    assert run.retrieval.trend is not None and bought.any()
    counted = run.retrieval.trend.log_sales.numpy()[last, -1]
    assert counted == pytest.approx(np.log1p(bought.sum()))


def test_only_the_new_text_is_encoded(updated_shop):
    copy, _, _ = updated_shop
    shards = list((copy.state / "text_vectors").rglob("*.npz"))
    assert len(shards) == 1
    with np.load(shards[0]) as shard:
        assert len(shard["vectors"]) == 1


def test_the_same_batch_twice_changes_nothing(updated_shop):
    copy, updated, _ = updated_shop
    ledger = (copy.state / "ledger.json").read_bytes()
    renamed = copy.folder / "renamed.parquet"
    renamed.write_bytes(copy.batch(1).read_bytes())
    again = copy.update(1, events=renamed)
    assert again.repeated and again.entry == updated.entry
    assert (copy.state / "ledger.json").read_bytes() == ledger
    assert len(versions_of(copy.models / "retrieval")) == 2


def test_the_events_in_another_file_are_known(updated_shop, tmp_path):
    """What came in another file format is no news either: nothing is trained, nothing published."""
    copy, updated, _ = updated_shop
    shop = copy.copy(tmp_path / "copy")
    frame = pd.read_parquet(shop.batch(1))
    frame.to_csv(shop.folder / "again.csv", index=False)
    done = shop.update(1, events=shop.folder / "again.csv", items=None)
    assert not done.repeated
    assert done.entry.outcome == "nothing new"
    assert done.entry.batch["rejected"] == {"already_known": len(frame)}
    assert done.entry.version is None
    assert done.entry.parent_version == updated.entry.version


def test_the_command_says_that_a_batch_was_taken_in(updated_shop):
    copy, updated, _ = updated_shop
    arguments = ["--events", str(copy.batch(1)), "--items", str(copy.folder / "new.parquet")]
    arguments += ["--models", str(copy.models), "--state", str(copy.state)]
    done = CliRunner().invoke(update_command.command, arguments, catch_exceptions=False)
    assert "taken in before, as generation 1; nothing changed" in done.stdout
    done = CliRunner().invoke(update_command.command, [*arguments, "--json"])
    told = json.loads(done.stdout)
    assert told["repeated"] and told["version"] == updated.entry.version


def test_a_second_update_at_once_refuses(updated_shop):
    copy, _, _ = updated_shop
    message = "another update is at work"
    with UpdateState(copy.state).locked(), pytest.raises(UserError, match=message):
        copy.update(2)


def test_lineage_names_data_code_parent_and_gate(updated_shop):
    copy, updated, _ = updated_shop
    version = updated.entry.version
    lineage = lineage_of(copy.models, version, copy.state)
    assert lineage.origin == "updated"
    assert lineage.parent_version == updated.entry.parent_version
    assert lineage.dataset == PreparedDataset.open(generation(copy) / "data").checksum
    assert lineage.batch["content"] == updated.entry.batch["content"]
    assert lineage.verdict == updated.entry.verdict
    assert [(need.what, need.there) for need in lineage.needs] == [
        ("data set", True),
        ("parent run", True),
        ("the same code", True),
    ]
    first = lineage_of(copy.models, lineage.parent_version)
    assert (first.origin, first.parent_version, first.verdict) == ("trained", None, None)
    with pytest.raises(UserError, match="there is no version 7"):
        lineage_of(copy.models, 7)
    arguments = [str(version), "--models", str(copy.models), "--state", str(copy.state)]
    done = CliRunner().invoke(lineage_command.command, arguments, catch_exceptions=False)
    assert updated.entry.reason in " ".join(done.stdout.split())


def test_after_a_roll_back_the_earlier_version_is_the_champion(updated_shop, tmp_path):
    copy, updated, _ = updated_shop
    shop = copy.copy(tmp_path / "copy")
    state = UpdateState(shop.state)
    assert state.champion(state.ledger(), shop.models)[0] == updated.entry.version
    roll_back(shop.models)
    version, run, _ = state.champion(state.ledger(), shop.models)
    assert version == updated.entry.parent_version
    assert run == (shop.folder / "run").resolve()


def test_old_models_get_new_counts_where_new_models_miss_a_guardrail(shop, tmp_path, monkeypatch):
    copy = shop.copy(tmp_path / "copy")
    judged = []

    def decide(*given, **settings):
        judged.append(gate.decide(*given, **settings))
        if len(judged) > 1:
            return judged[-1]
        failed = [dataclasses.replace(each, outcome="failed") for each in judged[0].checks[:1]]
        return Verdict(False, "the new models miss a guardrail: NDCG", failed)

    monkeypatch.setattr(generation_module, "decide", decide)
    entry = copy.update(1).entry
    assert entry.outcome == "published" and entry.verdict["run"] == "recounted"
    assert entry.verdict["checks"][0]["outcome"] == "failed"
    assert "guardrail: NDCG; the old models have the newest counts" in entry.reason
    check_counted_only(copy)


def test_weights_wait_for_enough_days_of_events(shop, tmp_path):
    copy = shop.copy(tmp_path / "copy")
    update = shop.config.update.model_copy(update={"train_days": 8})
    entry = copy.update(1, config=shop.config.model_copy(update={"update": update})).entry
    assert entry.outcome == "published" and entry.verdict["run"] == "recounted"
    assert entry.reason.startswith("7 days of events wait to be trained on, of 8")
    assert not (generation(copy) / "run").exists()
    check_counted_only(copy)
    # With the next week there are enough of them.
    entry = copy.update(2, config=shop.config.model_copy(update={"update": update})).entry
    assert entry.verdict["run"] == "run"


def check_counted_only(shop):
    """The served models have the weights of the first ones, and the counts of the whole log."""
    old, new = TrainedRun.open(shop.folder / "run"), TrainedRun.open(generation(shop) / "served")
    known = old.retrieval.spec.num_ids + 1
    assert new.retrieval.spec.num_ids == known
    np.testing.assert_array_equal(
        new.retrieval.item_tower.id_offset[:known], old.retrieval.item_tower.id_offset
    )
    assert not new.retrieval.id_offsets.learned()[-1]
    last = new.dataset.item_index()[NEW_ITEM]
    assert new.retrieval.trend.log_sales[last, -1] > 0
    record = read_json(generation(shop) / "served" / "retrieval" / "run.json")
    assert record["trained_until"] == old.dataset.manifest.splits["valid"].starts


def test_what_an_update_writes_holds_no_user_id_in_the_clear(updated_shop):
    copy, _, _ = updated_shop
    users = set(pd.read_parquet(copy.batch(1))["user_id"])
    stored = pd.read_parquet(generation(copy) / "batch" / "events.parquet")
    assert not users & set(stored["user"])
    assert read_json(generation(copy) / "batch" / "batch.json")["accepted"] == len(stored)


def test_a_batch_that_leaves_no_data_set_does_not_stay(shop, tmp_path):
    copy = shop.copy(tmp_path / "shop")
    odd = pd.read_parquet(copy.batch(1))
    last = odd.index[-len(odd) * 6 // 10 :]  # most of it, so no fault of one clock
    odd.loc[last, "timestamp"] += 300 * 86400
    odd.to_parquet(tmp_path / "odd.parquet")
    with pytest.raises(UserError, match="period holds no events"):
        copy.update(events=tmp_path / "odd.parquet")
    # Else every later update would finish it first, and fail.
    assert not generation(copy).exists()


class TestMistakes:
    def test_the_first_update_needs_a_run(self, shop, tmp_path):
        copy = shop.copy(tmp_path / "copy")
        with pytest.raises(UserError, match=r"name the run .* with --run"):
            copy.update(1, run=None)

    def test_a_run_that_the_models_do_not_come_from(self, shop, tmp_path):
        copy = shop.copy(tmp_path / "copy")
        other = tmp_path / "other"
        shutil.copytree(shop.folder / "run", other)
        record = read_json(other / "retrieval" / "run.json")
        (other / "retrieval" / "run.json").write_text(
            json.dumps({**record, "started": "2020-01-01T00:00:00+00:00"})
        )
        with pytest.raises(UserError, match="does not come from"):
            copy.update(1, run=other)
