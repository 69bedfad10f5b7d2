"""A recommender in a notebook: opened, asked, explained, saved, and its mistakes."""

import shutil

import numpy as np
import pytest

import tfrec
from tests.export.shop import SOLD_OUT
from tfrec.errors import UserError
from tfrec.export import exporter
from tfrec.training.loading import TrainedRun

HISTORY = ["item-01", "item-05", "item-09"]


class TestAnswers:
    def test_names_prices_and_reasons_are_those_of_the_catalogue(self, recommender, dataset):
        items = dataset.items.set_index("item_id")
        answer = recommender.recommend(HISTORY, k=5)
        assert len(answer) == 5 and SOLD_OUT not in answer.item_ids
        for item in answer:
            row = items.loc[item.item_id]
            assert item.title == row["title"]
            assert item.price is None if np.isnan(row["price"]) else item.price == row["price"]
            assert item.reason_item_id in HISTORY
            own = item.reason_item_id == item.item_id
            expected = "its earlier orders" if own else items.loc[item.reason_item_id]["title"]
            assert item.reason == expected
            assert set(item.probabilities) == {"purchase", "return"}
        assert [item.score for item in answer] == sorted(
            (item.score for item in answer), reverse=True
        )

    def test_k_exclusions_and_the_first_stage(self, recommender):
        best = recommender.recommend(HISTORY, k=1)
        assert len(best) == 1
        others = recommender.recommend(HISTORY, k=5, exclude=best.item_ids)
        assert not set(best.item_ids) & set(others.item_ids)
        first = recommender.recommend(HISTORY, k=3, model="retrieval")
        assert all(item.reason is None and not item.probabilities for item in first)

    def test_a_shopper_is_asked_for_with_all_that_is_known(self, recommender, dataset):
        shopper = tfrec.find_shoppers(dataset, fewest=4, count=1)[0]
        answer = recommender.recommend(shopper, k=5)
        events = shopper.history
        spelled_out = recommender.recommend(
            events["item_id"].tolist(),
            events["event"].tolist(),
            (events["timestamp"].astype("datetime64[s]").astype("int64")).tolist(),
            k=5,
            context=shopper.context,
        )
        assert answer.to_frame().equals(spelled_out.to_frame())
        assert answer.later == set(shopper.later["item_id"]) and spelled_out.later is None

    def test_no_history(self, recommender):
        answer = recommender.recommend(k=5)
        assert len(answer) == 5 and all(item.reason is None for item in answer)

    def test_search_and_similar(self, recommender, dataset):
        text = dataset.items.set_index("item_id").loc["item-02", "text"]
        found = recommender.search(text, k=2)
        assert found[0].title == "red lamp" and found[0].score == pytest.approx(1.0, abs=1e-3)
        assert len(recommender.search("red lamp", HISTORY, k=5)) == 5
        like = recommender.similar("item-02", k=5)
        assert "item-02" not in like.item_ids and "red lamp (item-02)" in repr(like)

    def test_vectors_are_those_that_scores_are_made_of(self, recommender):
        items, query = recommender.item_vectors(), recommender.embed(HISTORY)
        assert list(items.index) == list(recommender.text_vectors().index)
        np.testing.assert_allclose(np.linalg.norm(items, axis=1), 1.0, rtol=1e-5)
        assert np.linalg.norm(query) == pytest.approx(1.0, rel=1e-5)
        like = items.to_numpy() @ items.loc["item-02"].to_numpy()
        best = items.index[np.argsort(-like)[1]]
        assert recommender.similar("item-02", k=1).item_ids in ([best], ["item-02"])

    @pytest.mark.parametrize("ask, message", [
        (lambda r: r.recommend(["x", "y"]), "no item of x, y is in the catalogue"),
        (lambda r: r.recommend(HISTORY, k=6), "k should be from 1 to 5 .export.k .* not 6"),
        (lambda r: r.recommend(HISTORY, k=0), "not 0"),
        (lambda r: r.recommend(HISTORY, context={"land": "NL"}, k=1), "it has country"),
        (lambda r: r.search("  "), "the query is empty"),
        (lambda r: r.similar("x"), "no item of x is in the catalogue"),
        (lambda r: r.explain("x", HISTORY), "the item x is not in the catalogue"),
    ])  # fmt: skip
    def test_mistakes(self, recommender, ask, message):
        with pytest.raises(UserError, match=message):
            ask(recommender)


class TestExplanations:
    def test_effects_are_differences_of_scores(self, recommender):
        events, times = ["purchase", "return", "purchase"], [100_000, 200_000, 300_000]
        target = recommender.recommend(HISTORY, events, times, k=5)[2]
        found = recommender.explain(target.item_id, HISTORY, events, times)
        assert found.score == pytest.approx(target.score, rel=1e-4)
        assert found.words == list(target.reason_words)
        assert set(target.reason_item_ids) <= set(HISTORY)
        assert {one.item_id for one in found.influences} == set(HISTORY)
        for one in found.influences:
            kept = [place for place, item in enumerate(HISTORY) if item != one.item_id]
            rest = [[values[place] for place in kept] for values in (HISTORY, events, times)]
            without = recommender.explain(target.item_id, *rest).score
            assert one.without == pytest.approx(without, rel=1e-4)
            assert one.effect == pytest.approx(found.score - without, abs=1e-6)
        effects = [abs(one.effect) for one in found.influences]
        assert effects == sorted(effects, reverse=True) and effects[0] > 0

    def test_the_last_event_of_an_item_is_shown(self, recommender):
        history = ["item-01", "item-05", "item-01"]
        found = recommender.explain(
            "item-02", history, ["purchase", "purchase", "return"], [86_400, 0, 3 * 86_400]
        )
        by_item = {one.item_id: one for one in found.influences}
        assert (by_item["item-01"].event, by_item["item-01"].date) == ("return", "1970-01-04")
        assert by_item["item-05"].date == ""
        assert found.title in found._repr_html_() and found.sentence in repr(found).replace(
            "\n", " "
        )

    def test_nothing_to_explain_with(self, recommender):
        assert recommender.explain("item-02").influences == []
        assert recommender.explain("item-02").words == []
        assert "without a history" in recommender.explain("item-02").sentence


class TestRuns:
    def test_evaluation_is_that_of_the_command(self, recommender, run_folder, monkeypatch):
        asked = []
        monkeypatch.setattr(
            "tfrec.api.recommender.evaluate_run", lambda *given, seed: asked.append((*given, seed))
        )
        recommender.evaluate("valid")
        recommender.evaluate(repeats="exclude")
        expected = TrainedRun.open(run_folder).config
        (run, split, config, seed), (_, second_split, second_config, _) = asked
        assert run.dataset.path == run_folder.parent / "data" and seed == expected.seed
        assert (split, second_split) == ("valid", "test")
        assert config == expected.evaluation and config.repeats == "count"
        assert second_config == config.model_copy(update={"repeats": "exclude"})

    def test_export_is_that_of_the_command(self, recommender, run_folder, monkeypatch):
        written = []
        monkeypatch.setattr(exporter, "export", lambda source, *_: written.append(source))
        recommender.export("models")
        exporter.export_run(run_folder, "models")
        mine, theirs = written
        assert mine.config == theirs.config and mine.origin == theirs.origin
        assert mine.examples == theirs.examples and mine.items.equals(theirs.items)
        assert mine.reference.statistics == theirs.reference.statistics

    def test_saved_and_loaded_elsewhere(self, recommender, tmp_path):
        saved = recommender.save(tmp_path / "saved")
        assert recommender.save(saved) == saved
        shutil.move(saved, tmp_path / "moved")
        loaded = tfrec.Recommender.load(tmp_path / "moved")
        expected = recommender.recommend(HISTORY, k=5).to_frame()
        assert loaded.recommend(HISTORY, k=5).to_frame().equals(expected)
        assert loaded.config == recommender.config

    def test_saving_over_other_things(self, recommender, tmp_path):
        (tmp_path / "thesis.txt").touch()
        with pytest.raises(UserError, match="holds other things"):
            recommender.save(tmp_path)

    def test_nothing_trained(self, tmp_path):
        fresh = tfrec.Recommender()
        assert "not trained" in repr(fresh)
        for ask in (fresh.recommend, fresh.evaluate, lambda: fresh.save(tmp_path)):
            with pytest.raises(UserError, match="nothing is trained yet"):
                ask()
        with pytest.raises(UserError, match="no run folder"):
            tfrec.Recommender.load(tmp_path / "nowhere")
