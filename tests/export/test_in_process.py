"""`tfrec.Recommender` gives what the exported models give, and opens them too."""

import numpy as np
import pytest

import tfrec
from tests.export.asking import ask, exclude, history
from tests.export.conftest import load
from tfrec.errors import UserError

ITEMS, EVENTS = ["item-01", "item-06", "item-01"], ["purchase", "purchase", "return"]
TIMES = [1_700_000_000, 1_700_086_400, 1_700_090_000]


@pytest.fixture(scope="module")
def recommender(run_folder):
    return tfrec.Recommender.load(run_folder)


def same(answer, outputs):
    ids = outputs["item_id"][0].tolist()
    assert answer.item_ids == [item for item in ids if item][: len(answer)]
    scores = [item.score for item in answer]
    np.testing.assert_allclose(scores, outputs["score"][0][: len(scores)], rtol=1e-5)


def test_answers_are_those_of_the_saved_models(recommender, signatures):
    asked = history([ITEMS], [EVENTS], [TIMES], ["FR"])
    given = {"events": EVENTS, "timestamps": TIMES, "context": {"country": "FR"}, "k": 5}
    answer = recommender.recommend(ITEMS, exclude=["item-00"], **given)
    outputs = ask(signatures["recommender"]["serving_default"], asked, exclude([["item-00"]]))
    same(answer, outputs)
    reasons = [item.reason_item_id or "" for item in answer]
    assert reasons == outputs["reason_item_id"][0].tolist()
    for event in ("purchase", "return"):
        chances = [item.probabilities[event] for item in answer]
        np.testing.assert_allclose(chances, outputs[f"probability_{event}"][0], rtol=1e-5)
    first = recommender.recommend(ITEMS, model="retrieval", **given)
    same(first, ask(signatures["retrieval"]["serving_default"], asked, exclude([[""]])))
    found = recommender.search("blue lamp", ITEMS, **given)
    query = {"query": np.array(["blue lamp"])}
    same(found, ask(signatures["retrieval"]["search"], asked, query))
    like = recommender.similar("item-01", k=5)
    same(like, ask(signatures["retrieval"]["similar"], {"item_id": np.array(["item-01"])}))


def test_exported_models_open_with_their_refreshed_items(refreshed):
    folder, _ = refreshed
    opened = tfrec.Recommender.load(folder)
    assert "from exported models" in repr(opened)
    assert opened.similar("new-1", k=1)[0].title
    answer = opened.recommend(ITEMS, k=5)
    saved = load(folder / "recommender").signatures["serving_default"]
    same(answer, ask(saved, history([ITEMS]), exclude([[""]])))
    with pytest.raises(UserError, match="exported models cannot evaluate"):
        opened.evaluate()
