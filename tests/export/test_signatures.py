"""The exported signatures against the Python models that they were made from."""

import numpy as np
import pytest
import tensorflow as tf

from tests.export.asking import ask, exclude, history, nothing
from tests.export.shop import SOLD_OUT, items_frame
from tests.tiny_bert import vocabulary
from tfrec.explaining.history_reasons import DECAY, OWN, REASONS
from tfrec.explaining.words import words_in
from tfrec.export.retrieval import TASTE
from tfrec.index.exact import NEVER, best_items, hide_items
from tfrec.models.recommender import Recommender, Retriever
from tfrec.towers.histories import pad_histories

IDS = items_frame()["item_id"].tolist()
AVAILABLE = np.array([False, *items_frame()["available"]])
K = 5


@pytest.fixture(scope="module")
def shoppers(trained):
    """The evaluation's histories, as arrays and as a client sends them."""
    histories = trained.dataset.histories("test")
    countries = trained.dataset.manifest.context_vocabularies["country"]
    places = [histories.history(i) for i in range(len(histories))]
    events = trained.dataset.event_types
    # A client knows one context: where the shopper is now. In this shop he never moves.
    request = history(
        [[IDS[item - 1] for item in histories.item[place]] for place in places],
        [[events[event - 1] for event in histories.event[place]] for place in places],
        [histories.timestamp[place].tolist() for place in places],
        [
            countries[histories.context["country"][place][-1] - 1] if place.stop > place.start
            else ""
            for place in places
        ],
    )  # fmt: skip
    return histories, request


@pytest.fixture(scope="module")
def retriever(trained):
    return Retriever(trained.retrieval)


def names(items):
    return np.array(["", *IDS])[items]


def visible(scores):
    return tf.where(AVAILABLE, hide_items(scores, tf.zeros([len(scores), 1], tf.int64)), NEVER)


def test_retrieval_answers_with_the_best_scores_of_the_retriever(signatures, shoppers, retriever):
    histories, request = shoppers
    answer = ask(signatures["retrieval"]["serving_default"], request, nothing(len(histories)))
    scores, items = best_items(visible(retriever.scores(pad_histories(histories, 50))), K)
    np.testing.assert_allclose(answer["score"], scores, atol=1e-5)
    assert (answer["item_id"] == names(items)).all()


def test_recommender_answers_like_the_two_stages(signatures, shoppers, trained, retriever):
    histories, request = shoppers
    answer = ask(signatures["recommender"]["serving_default"], request, nothing(len(histories)))
    python = Recommender(retriever, trained.ranker, trained.config.ranking.candidates)
    items, values, probabilities = python.recommend(
        pad_histories(histories, 50),
        tf.zeros([len(histories), 1], tf.int64),
        tf.constant(AVAILABLE),
    )
    assert (answer["item_id"] == names(items[:, :K])).all()
    np.testing.assert_allclose(answer["score"], values[:, :K], atol=1e-5)
    for event in ("purchase", "return"):
        np.testing.assert_allclose(
            answer[f"probability_{event}"], probabilities[event][:, :K], atol=1e-5
        )


def test_the_histories_of_the_comparison_are_of_many_lengths(shoppers, trained):
    lengths = shoppers[0].lengths
    assert lengths.min() < 5 and lengths.max() > trained.config.ranking.max_history


def test_ranking_gives_candidates_the_scores_of_the_recommender(signatures, shoppers):
    histories, request = shoppers
    shown = ask(signatures["recommender"]["serving_default"], request, nothing(len(histories)))
    ranked = ask(
        signatures["ranking"]["serving_default"],
        request,
        {"candidate_item_id": tf.constant(shown["item_id"])},
    )
    np.testing.assert_allclose(ranked["score"], shown["score"], atol=1e-5)
    np.testing.assert_allclose(ranked["probability_return"], shown["probability_return"], atol=1e-5)


def test_unknown_candidates_have_no_chance(signatures):
    answer = ask(
        signatures["ranking"]["serving_default"],
        history([[IDS[0]]]),
        {"candidate_item_id": tf.constant([["nope", IDS[1], ""]])},
    )
    assert answer["score"][0, [0, 2]].tolist() == [-1.0, -1.0] and answer["score"][0, 1] > 0
    assert answer["probability_purchase"][0, [0, 2]].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("model", ["retrieval", "recommender"])
def test_a_shopper_alone_gets_what_he_gets_in_a_batch(signatures, shoppers, model):
    _, request = shoppers
    signature = signatures[model]["serving_default"]
    together = ask(signature, request, nothing(len(request["history_item_id"])))
    for shopper in range(4):
        one = {name: values[shopper : shopper + 1] for name, values in request.items()}
        alone = ask(signature, one, nothing(1))
        assert (alone["item_id"][0] == together["item_id"][shopper]).all()
        np.testing.assert_allclose(alone["score"][0], together["score"][shopper], atol=1e-5)


@pytest.mark.parametrize("model", ["retrieval", "recommender"])
def test_unknown_ids_and_padding_are_skipped_wherever_they_stand(signatures, model):
    signature = signatures[model]["serving_default"]
    items = [IDS[4], IDS[1], IDS[7]]
    times = [1_700_000_000, 1_700_100_000, 1_700_900_000]
    events = ["purchase", "return", "purchase"]
    plain = ask(signature, history([items], [events], [times]), nothing(1))
    mixed = ask(
        signature,
        history(
            [["", "nope", items[0], "", items[1], "gone", items[2], ""]],
            [["", "", events[0], "", events[1], "return", events[2], ""]],
            [[0, 5, times[0], 0, times[1], 7, times[2], 0]],
        ),
        nothing(1),
    )
    assert (plain["item_id"] == mixed["item_id"]).all()
    np.testing.assert_allclose(plain["score"], mixed["score"], atol=1e-6)


@pytest.mark.parametrize("items", [[""], ["nope", "gone"], []])
@pytest.mark.parametrize("model", ["retrieval", "recommender"])
def test_a_new_shopper_is_answered(signatures, model, items):
    signature = signatures[model]["serving_default"]
    answer = ask(signature, history([items]), nothing(1))
    blank = ask(signature, history([["", "", ""]]), nothing(1))
    assert (answer["item_id"] == blank["item_id"]).all() and (answer["item_id"] != "").all()
    if model == "recommender":
        assert (answer["reason_item_id"] == "").all()


def test_only_the_last_events_of_a_long_history_count(signatures):
    signature = signatures["retrieval"]["serving_default"]
    long = [IDS[i % 12] for i in range(40)]
    answer = ask(signature, history([long]), nothing(1))
    last = ask(signature, history([long[-6:]]), nothing(1))
    np.testing.assert_allclose(answer["score"], last["score"], atol=1e-6)


@pytest.mark.parametrize("model", ["retrieval", "recommender"])
def test_excluded_items_are_not_shown(signatures, model):
    signature = signatures[model]["serving_default"]
    batch = history([[IDS[0]], [IDS[0]]])
    usual = ask(signature, batch, nothing(2))["item_id"][0]
    answer = ask(signature, batch, exclude([["nope", usual[0], usual[2]], ["", "", ""]]))["item_id"]
    assert not set(usual[[0, 2]]) & set(answer[0]) and usual[1] in answer[0]
    assert (answer[1] == usual).all()


def test_what_is_sold_out_is_shown_by_no_signature(signatures, shoppers, retriever):
    scores = retriever.scores(pad_histories(shoppers[0], 50))
    _, items = best_items(hide_items(scores, tf.zeros([len(scores), 1], tf.int64)), K)
    assert SOLD_OUT in names(items), "the shop would show it if it could"
    retrieval = signatures["retrieval"]
    _, request = shoppers
    everything = history([[item] for item in IDS])
    answers = [
        ask(retrieval["serving_default"], request, nothing(len(scores))),
        ask(signatures["recommender"]["serving_default"], request, nothing(len(scores))),
        ask(retrieval["similar"], {"item_id": tf.constant(IDS)}),
        ask(retrieval["search"], everything, {"query": tf.constant(items_frame()["title"])}),
    ]
    for answer in answers:
        assert SOLD_OUT not in answer["item_id"]


def test_what_is_sold_out_still_counts_in_a_history(signatures):
    embed = signatures["retrieval"]["embed_query"]
    vectors = ask(embed, history([[SOLD_OUT], ["nope"]]))["embedding"]
    assert np.abs(vectors[0] - vectors[1]).max() > 0.01


def test_an_unknown_event_counts_as_the_first_target(signatures):
    embed = signatures["retrieval"]["embed_query"]
    items = [[IDS[2], IDS[5]]] * 4
    events = [["purchase"] * 2, ["", ""], ["view", "click"], ["return", "return"]]
    vectors = ask(embed, history(items, events))["embedding"]
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-6)
    np.testing.assert_allclose(vectors[2], vectors[0], atol=1e-6)
    assert np.abs(vectors[3] - vectors[0]).max() > 0.01


@pytest.mark.parametrize("items", [[], [IDS[3], IDS[8]]])
def test_context_matters_with_and_without_a_history(signatures, items):
    embed = signatures["retrieval"]["embed_query"]
    vectors = ask(embed, history([items] * 4, country=["FR", "NL", "", "Mars"]))["embedding"]
    assert np.abs(vectors[0] - vectors[1]).max() > 0.01
    assert np.abs(vectors[0] - vectors[2]).max() > 0.01
    np.testing.assert_allclose(vectors[2], vectors[3], atol=1e-6)


def test_embed_query_is_the_query_tower(signatures, shoppers, retriever):
    histories, request = shoppers
    vectors = ask(signatures["retrieval"]["embed_query"], request)["embedding"]
    expected = retriever.query_vectors(pad_histories(histories, 50))
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_similar_orders_by_cosine_and_leaves_the_item_out(signatures, trained, retriever):
    answer = ask(signatures["retrieval"]["similar"], {"item_id": tf.constant([IDS[6], "nope", ""])})
    assert trained.dataset.items["train_events"].min() > 0
    cosines = retriever.vectors.numpy() @ retriever.vectors.numpy()[7]
    cosines[[0, 7, 1 + IDS.index(SOLD_OUT)]] = -9
    best = np.argsort(-cosines)[:K]
    assert answer["item_id"][0].tolist() == names(best).tolist()
    np.testing.assert_allclose(answer["score"][0], cosines[best], atol=1e-5)
    assert (answer["item_id"][1:] == "").all() and (answer["score"][1:] == NEVER).all()


def test_search_finds_the_text_first(signatures, trained):
    titles = trained.dataset.items["text"].tolist()
    kept = [i for i in range(12) if IDS[i] != SOLD_OUT]
    answer = ask(
        signatures["retrieval"]["search"],
        history([[]] * len(kept)),
        {"query": tf.constant([titles[i] for i in kept])},
    )
    np.testing.assert_allclose(answer["score"][:, 0], 1.0, atol=1e-5)
    assert answer["item_id"][:, 0].tolist() == [IDS[i] for i in kept]


def test_taste_moves_a_search_by_a_little(signatures, retriever, trained):
    query = "red lamp"
    words = {"query": tf.constant([query])}
    search = signatures["retrieval"]["search"]
    plain = ask(search, history([[]]), words)
    personal = ask(search, history([[IDS[0], IDS[1]]]), words)
    vector = ask(signatures["retrieval"]["embed_query"], history([[IDS[0], IDS[1]]]))["embedding"]
    taste = dict(zip(["", *IDS], retriever.vectors.numpy() @ vector[0], strict=True))
    fits = dict(zip(plain["item_id"][0], plain["score"][0], strict=True))
    both = set(fits) & set(personal["item_id"][0])
    assert len(both) >= 3
    for item, score in zip(personal["item_id"][0], personal["score"][0], strict=True):
        if item in both:
            assert score == pytest.approx(fits[item] + TASTE * taste[item], abs=1e-5)


def test_embed_item_is_the_item_tower_with_the_ids_of_stand_ins(signatures, trained):
    items = trained.dataset.items
    texts = {
        name: tf.constant(items_frame()[name].tolist())
        for name in ("title", "description", "brand", "categories")
    }
    price = {"price": tf.constant(items["price"], tf.float32)}
    answer = ask(signatures["retrieval"]["embed_item"], texts, price)
    features = trained.retrieval.catalogue.all_features()
    described = trained.retrieval.item_tower({**features, "id": tf.zeros_like(features["id"])})
    placed = trained.retrieval.id_offsets.placement().offsets(described)
    expected = trained.retrieval.item_tower(features, offsets=placed)[1:]
    np.testing.assert_allclose(answer["embedding"], expected, atol=1e-4)
    assert np.abs(answer["embedding"] - described[1:]).max() > 0.01


def test_describe_says_what_is_known(signatures):
    answer = ask(
        signatures["retrieval"]["describe"], {"item_id": tf.constant([IDS[0], IDS[2], "x", ""])}
    )
    assert answer["title"].tolist() == ["red cotton dress", "red lamp", "", ""]
    assert answer["known"].tolist() == [True, True, False, False]
    assert answer["price"][0] == 1.5 and np.isnan(answer["price"][1:]).all()


def test_reasons_are_what_the_mean_of_the_history_loses_most_by(signatures, retriever, trained):
    items = [IDS[0], IDS[4], IDS[9], IDS[1], IDS[7]]
    events = ["purchase", "purchase", "return", "purchase", "purchase"]
    answer = ask(
        signatures["recommender"]["serving_default"], history([items], [events]), nothing(1)
    )
    vectors = dict(zip(["", *IDS], retriever.vectors.numpy(), strict=True))
    age = {item: len(items) - 1 - place for place, item in enumerate(items) if item != IDS[9]}
    assert len(set(answer["reason_item_id"][0])) > 1
    for row, shown in enumerate(answer["item_id"][0]):

        def mean(kept, shown=shown):
            share = {item: DECAY ** age[item] for item in kept}
            near = sum(share[item] * vectors[shown] @ vectors[item] for item in kept)
            return near / sum(share.values())

        weights = {
            item: mean(age) - mean(set(age) - {item}) + OWN * (item == shown) for item in age
        }
        best = sorted(weights, key=weights.get, reverse=True)[:REASONS]
        kept = [item for place, item in enumerate(best) if not place or weights[item] > 0]
        assert answer["reason_item_ids"][0, row].tolist() == kept + [""] * (REASONS - len(kept))
        assert answer["reason_item_id"][0, row] == kept[0]
        np.testing.assert_allclose(
            answer["reason_weights"][0, row, : len(kept)], [weights[i] for i in kept], atol=1e-5
        )


def test_words_of_reasons_are_words_of_the_items(signatures, trained):
    answer = ask(signatures["recommender"]["serving_default"], history([IDS[:4]]), nothing(1))
    texts = dict(zip(IDS, trained.dataset.items["text"], strict=True))
    for shown, words in zip(answer["item_id"][0], answer["reason_words"][0], strict=True):
        assert {word.casefold() for word in words if word} <= {
            word.casefold() for word in words_in(texts[shown])
        }
    assert (answer["reason_words"][0, :, 0] != "").any()
    empty = ask(signatures["recommender"]["serving_default"], history([[]]), nothing(1))
    assert (empty["reason_words"] == "").all() and (empty["reason_weights"] == 0).all()


@pytest.mark.parametrize("model, name, outputs", [
    ("retrieval", "serving_default", {"item_id", "score"}),
    ("retrieval", "similar", {"item_id", "score"}),
    ("retrieval", "search", {"item_id", "score"}),
    ("retrieval", "embed_item", {"embedding"}),
    ("retrieval", "embed_query", {"embedding"}),
    ("retrieval", "describe", {"title", "price", "known"}),
    ("ranking", "serving_default", {"score", "probability_purchase", "probability_return"}),
    ("recommender", "serving_default",
     {"item_id", "score", "probability_purchase", "probability_return", "reason_item_id",
      "reason_item_ids", "reason_weights", "reason_words", "placement"}),
])  # fmt: skip
def test_names_are_the_contract_and_everything_shares_the_batch_dimension(
    signatures, model, name, outputs
):
    signature = signatures[model][name]
    inputs = signature.structured_input_signature[1]
    assert all(spec.shape.rank in (1, 2) and spec.shape[0] is None for spec in inputs.values())
    assert set(signature.structured_outputs) == outputs
    assert all(spec.shape.rank in (1, 2, 3) for spec in signature.structured_outputs.values())
    assert all(spec.shape[0] is None for spec in signature.structured_outputs.values())
    if "history_item_id" in inputs:
        assert {"history_event", "history_timestamp", "context_country"} <= set(inputs)


def test_only_retrieval_carries_the_bert(models):
    words = len(vocabulary())

    def has_bert(name):
        (version,) = (models / name).iterdir()
        shapes = [shape for _, shape in tf.train.list_variables(f"{version}/variables/variables")]
        return [words, 32] in shapes and (version / "assets" / "vocab.txt").is_file()

    assert [name for name in ("retrieval", "ranking", "recommender") if has_bert(name)] == [
        "retrieval"
    ]
