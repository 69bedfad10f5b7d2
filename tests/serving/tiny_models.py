"""Small SavedModels with the signatures of the exported ones, and answers known by hand.

Six items on a line; the score of an item is minus its distance to the mean place of the known
items of the history (place 0 without any). Unknown ids are skipped.
"""

import shutil
import sys
from pathlib import Path

import tensorflow as tf

ITEMS = ("A1", "A2", "B1", "B2", "C1", "Ü-ber")
TITLES = ("red mug", "blue mug", "red plate", "blue plate", "candle", "Käse 起司")
PRICES = (1.5, 2.5, 3.0, 4.0, 0.99, float("nan"))
K = 4

STRINGS = tf.TensorSpec([None], tf.string)
STRING_ROWS = tf.TensorSpec([None, None], tf.string)
HISTORY = {
    "history_item_id": STRING_ROWS,
    "history_event": STRING_ROWS,
    "history_timestamp": tf.TensorSpec([None, None], tf.int64),
}
EXCLUDE = {"exclude_item_id": STRING_ROWS}
NOW = {"now": tf.TensorSpec([None], tf.int64)}
CONTEXT = {"context_country": STRINGS}


def signature(specs):
    """Makes a function of a dictionary a concrete function with named inputs."""

    def wrap(function):
        return tf.function(lambda **inputs: function(inputs)).get_concrete_function(
            **{
                name: tf.TensorSpec(spec.shape, spec.dtype, name=name)
                for name, spec in specs.items()
            }
        )

    return wrap


class TinyModel(tf.Module):
    """One module that holds every signature; `offset` is added to all scores, to tell versions."""

    def __init__(self, offset: float = 0.0, vocabulary: Path | None = None):
        super().__init__()
        if vocabulary is None:
            rows = tf.lookup.KeyValueTensorInitializer(
                tf.constant(ITEMS), tf.range(1, len(ITEMS) + 1, dtype=tf.int64)
            )
        else:
            self.vocabulary = tf.saved_model.Asset(str(vocabulary))
            rows = tf.lookup.TextFileInitializer(
                self.vocabulary.asset_path,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            )
        self.one_based = vocabulary is None
        self.table = tf.lookup.StaticHashTable(rows, 0 if vocabulary is None else -1)
        self.ids = tf.constant(ITEMS)
        self.titles = tf.constant(("", *TITLES))
        self.prices = tf.constant((float("nan"), *PRICES))
        self.offset = tf.Variable(offset)

    def rows(self, ids):
        found = self.table.lookup(ids)
        return found if self.one_based else found + 1

    def scores(self, ids, exclude=None):
        rows = self.rows(ids)
        known = tf.cast(rows > 0, tf.float32)
        place = tf.reduce_sum(tf.cast(rows, tf.float32) * known, 1)
        place = place / tf.maximum(tf.reduce_sum(known, 1), 1.0)
        places = tf.range(1, len(ITEMS) + 1, dtype=tf.float32)
        scores = self.offset - tf.abs(places[tf.newaxis] - place[:, tf.newaxis])
        if exclude is not None:
            hidden = tf.reduce_any(
                self.rows(exclude)[:, :, tf.newaxis]
                == tf.range(1, len(ITEMS) + 1, dtype=tf.int64)[tf.newaxis, tf.newaxis],
                1,
            )
            scores = tf.where(hidden, -1000.0, scores)
        return scores

    def top(self, scores):
        best = tf.math.top_k(scores, K)
        shown = best.values > -500.0
        return {
            "item_id": tf.where(shown, tf.gather(self.ids, best.indices), ""),
            "score": best.values,
        }


def save_retrieval(folder: Path, offset: float = 0.0, vocabulary: Path | None = None) -> None:
    model = TinyModel(offset, vocabulary)

    @signature({**HISTORY, **EXCLUDE, **CONTEXT})
    def default(inputs):
        return model.top(model.scores(inputs["history_item_id"], inputs["exclude_item_id"]))

    @signature({"item_id": STRINGS})
    def similar(inputs):
        return model.top(
            model.scores(inputs["item_id"][:, tf.newaxis], inputs["item_id"][:, tf.newaxis])
        )

    @signature({"basket_item_id": STRING_ROWS, **EXCLUDE})
    def cart(inputs):
        basket = inputs["basket_item_id"]
        hidden = tf.concat([basket, inputs["exclude_item_id"]], 1)
        return model.top(model.scores(basket, hidden))

    @signature({**HISTORY, **EXCLUDE, **CONTEXT, **NOW})
    def buy_again(inputs):
        answer = model.top(model.scores(inputs["history_item_id"], inputs["exclude_item_id"]))
        days = tf.cast(inputs["now"], tf.float32)[:, tf.newaxis] + tf.range(K, dtype=tf.float32)
        return {**answer, "interval_days": days + 0.5, "due_in_days": -days}

    @signature({**HISTORY, **EXCLUDE, **CONTEXT})
    def other_categories(inputs):
        return model.top(-model.scores(inputs["history_item_id"]))

    @signature({**HISTORY, **CONTEXT, **NOW, "creative": STRING_ROWS})
    def campaign(inputs):
        # One hundredth a letter, and more the later it is.
        letters = tf.cast(tf.strings.length(inputs["creative"], "UTF8_CHAR"), tf.float32)
        return {"probability": letters / 100 + tf.cast(inputs["now"], tf.float32)[:, tf.newaxis]}

    @signature({"query": STRINGS, **HISTORY, **CONTEXT})
    def search(inputs):
        # One point a letter of the query's first word in the title's first letters; enough here.
        words = tf.strings.split(inputs["query"]).to_tensor("")[:, 0]
        hits = tf.map_fn(
            lambda word: tf.strings.regex_full_match(
                model.titles[1:], tf.strings.join([".*", word, ".*"])
            ),
            words,
            fn_output_signature=tf.bool,
        )
        return model.top(tf.cast(hits, tf.float32) + model.offset)

    @signature(
        {"query": STRINGS, **HISTORY, **CONTEXT}
        | {"filter_category": STRING_ROWS, "include_sold_out": tf.TensorSpec([None], tf.bool)}
        | dict.fromkeys(("filter_price_from", "filter_price_to"), tf.TensorSpec([None], tf.float32))
    )
    def filtered_search(inputs):
        # Every item between the prices; what it is asked otherwise does not matter here.
        dear = model.prices[1:] >= inputs["filter_price_from"][:, tf.newaxis]
        cheap = model.prices[1:] <= inputs["filter_price_to"][:, tf.newaxis]
        return model.top(tf.where(tf.logical_and(dear, cheap), model.offset, -1000.0))

    @signature(HISTORY | CONTEXT)
    def embed_query(inputs):
        return {"embedding": model.scores(inputs["history_item_id"])[:, :3]}

    @signature(
        dict.fromkeys(("title", "description", "brand", "categories"), STRINGS)
        | {"price": tf.TensorSpec([None], tf.float32)}
        | {"image_embedding": tf.TensorSpec([None, 2], tf.float32)}
    )
    def embed_item(inputs):
        letters = tf.cast(tf.strings.length(inputs["title"]), tf.float32)
        picture = tf.reduce_sum(inputs["image_embedding"], axis=1)
        return {"embedding": tf.stack([letters, inputs["price"] + picture], 1)}

    @signature({"item_id": STRINGS})
    def describe(inputs):
        rows = model.rows(inputs["item_id"])
        return {
            "title": tf.gather(model.titles, rows),
            "price": tf.gather(model.prices, rows),
            "known": rows > 0,
        }

    save(
        model,
        folder,
        serving_default=default,
        similar=similar,
        cart=cart,
        buy_again=buy_again,
        other_categories=other_categories,
        campaign=campaign,
        search=search,
        filtered_search=filtered_search,
        embed_query=embed_query,
        embed_item=embed_item,
        describe=describe,
    )


def save_ranking(folder: Path) -> None:
    model = TinyModel()

    @signature(HISTORY | CONTEXT | {"candidate_item_id": STRING_ROWS})
    def default(inputs):
        scores = model.scores(inputs["history_item_id"])
        rows = model.rows(inputs["candidate_item_id"])
        chosen = tf.gather(scores, tf.maximum(rows - 1, 0), batch_dims=1)
        chosen = tf.where(rows > 0, chosen, -100.0)
        return {"score": chosen, "probability_purchase": tf.sigmoid(chosen)}

    save(model, folder, serving_default=default)


def save_recommender(folder: Path, offset: float = 0.0) -> None:
    model = TinyModel(offset)

    def ranked(inputs):
        history = inputs["history_item_id"]
        answer = model.top(model.scores(history, inputs["exclude_item_id"]))
        last = tf.where(model.rows(history)[:, -1] > 0, history[:, -1], "")
        return {
            **answer,
            "probability_purchase": tf.sigmoid(answer["score"]),
            "probability_return": tf.zeros_like(answer["score"]) + 0.25,
            "reason_item_id": tf.repeat(last[:, tf.newaxis], K, axis=1),
        }

    @signature(HISTORY | EXCLUDE | CONTEXT)
    def default(inputs):
        return ranked(inputs)

    @signature(HISTORY | EXCLUDE | CONTEXT | {"seed": tf.TensorSpec([None], tf.string)})
    def checkout(inputs):
        """A named display order, in which the best comes last."""
        answer = ranked(inputs)
        return {name: tf.reverse(values, [1]) for name, values in answer.items()}

    @signature(HISTORY | EXCLUDE | CONTEXT | NOW)
    def home_page(inputs):
        """Three shelves of two places: the best, one with a gap filled, and one left out."""
        history = inputs["history_item_id"]
        answer = model.top(model.scores(history, inputs["exclude_item_id"]))
        batch = tf.shape(history)[0]

        def rows(*values):
            return tf.tile(
                tf.constant([values]), [batch, *[1] * tf.constant([values]).shape[1:].rank]
            )

        last = tf.where(model.rows(history)[:, -1:] > 0, history[:, -1:], "")
        none = tf.fill([batch, 2], "")
        ids = tf.concat([answer["item_id"], none], axis=1)
        scores = tf.concat([answer["score"], tf.zeros([batch, 2])], axis=1)
        return {
            "item_id": tf.reshape(ids, [batch, 3, 2]),
            "score": tf.reshape(scores, [batch, 3, 2]),
            "filler": rows([False, False], [False, True], [False, False]),
            "shelf": rows("for_you", "because_of", "buy_again"),
            "state": rows("full", "filled", "left_out"),
            "reason_item_id": tf.concat([none[:, :1], last, none[:, :1]], axis=1),
        }

    save(model, folder, serving_default=default, checkout=checkout, home_page=home_page)


def save(model: tf.Module, folder: Path, **functions) -> None:
    """Writes beside `folder` and renames into place, as an export does."""
    part = folder.parent / f".{folder.name}.part"
    model.functions = list(functions.values())
    tf.saved_model.save(model, str(part), signatures=functions)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def save_all(models: Path, version: int = 1) -> None:
    for name, writer in (
        ("retrieval", save_retrieval),
        ("ranking", save_ranking),
        ("recommender", save_recommender),
    ):
        (models / name).mkdir(parents=True, exist_ok=True)
        writer(models / name / str(version))
    for name, writer in (("kinds", save_kinds), ("examples", save_examples)):
        (models / name).mkdir(exist_ok=True)
        writer(models / name / str(version))


def save_kinds(folder: Path) -> None:
    """A model that echoes one tensor of each common dtype, and one whose run fails or is slow."""

    class Kinds(tf.Module):
        pass

    model = Kinds()
    dtypes = (
        tf.float32, tf.float64, tf.int32, tf.uint8, tf.int16, tf.int8, tf.string, tf.int64,
        tf.bool, tf.uint16, tf.uint32, tf.uint64, tf.half, tf.bfloat16, tf.complex64, tf.complex128,
    )  # fmt: skip

    @signature({f"x_{d.name}": tf.TensorSpec(None, d) for d in dtypes})
    def echo(inputs):
        return {name.replace("x_", "y_"): tf.identity(value) for name, value in inputs.items()}

    @signature({"x": tf.TensorSpec([None, 2], tf.float32)})
    def default(inputs):
        return {"y": inputs["x"] * 2.0, "z": inputs["x"] + 1.0}

    @signature({"loops": tf.TensorSpec([], tf.int32)})
    def slow(inputs):
        def step(done, matrix):
            return done + 1, tf.linalg.matmul(matrix, matrix) * 1e-3

        done, _ = tf.while_loop(
            lambda done, _: done < inputs["loops"], step, (0, tf.random.uniform([64, 64]))
        )
        return {"done": done}

    @signature({"row": tf.TensorSpec([], tf.int32)})
    def fails(inputs):
        return {"text": tf.gather(tf.constant(["only"]), inputs["row"])}

    @signature({"x": tf.TensorSpec([None, 2], tf.float32)})
    def product(inputs):
        return {"y": tf.linalg.matmul(inputs["x"], tf.constant([[10.0], [1.0]]))}

    @signature({"x": STRING_ROWS, "row": tf.TensorSpec([None], tf.int32)})
    def batch(inputs):
        # What the graph sees of a batch; a row that is not there fails for all.
        rows, width = tf.shape(inputs["x"])[0], tf.shape(inputs["x"])[1]
        texts = tf.gather(tf.constant(["zero", "one", "two"]), inputs["row"])
        return {
            "rows": tf.fill([rows], rows),
            "width": tf.fill([rows], width),
            "joined": tf.strings.reduce_join(inputs["x"], 1),
            "text": texts,
        }

    @signature({"x": STRINGS})
    def echo_bytes(inputs):
        return {"y_bytes": tf.identity(inputs["x"])}

    save(
        model,
        folder,
        serving_default=default,
        echo=echo,
        echo_bytes=echo_bytes,
        batch=batch,
        slow=slow,
        fails=fails,
        product=product,
    )


def save_examples(folder: Path) -> None:
    """A model that reads tf.Examples with the numbers `x` and `y` (0 without) and a text `name`."""
    model = tf.Module()
    serialized = {"inputs": STRINGS}

    def read(inputs):
        zero = tf.io.FixedLenFeature([], tf.float32, 0.0)
        features = {"x": zero, "y": zero, "name": tf.io.FixedLenFeature([], tf.string, "?")}
        return tf.io.parse_example(inputs["inputs"], features)

    def scores(features):
        return tf.stack([features["x"], features["y"]], 1)

    def classes(features):
        name = features["name"]
        return tf.stack([tf.strings.join([name, end]) for end in ("-x", "-y")], 1)

    @signature(serialized)
    def classify(inputs):
        return {"classes": classes(read(inputs)), "scores": scores(read(inputs))}

    @signature(serialized)
    def classify_scores(inputs):
        return {"scores": scores(read(inputs))}

    @signature(serialized)
    def classify_classes(inputs):
        return {"classes": classes(read(inputs))}

    @signature(serialized)
    def classify_flat(inputs):
        return {"scores": read(inputs)["x"]}

    @signature(serialized)
    def classify_texts(inputs):
        return {"scores": classes(read(inputs))}

    @signature(serialized)
    def both(inputs):
        features = read(inputs)
        return {
            "classes": classes(features),
            "scores": scores(features),
            "outputs": 2.0 * features["x"] + features["y"],
        }

    @signature(serialized)
    def regress_column(inputs):
        return {"outputs": read(inputs)["x"][:, tf.newaxis]}

    @signature(serialized)
    def regress_wide(inputs):
        return {"outputs": scores(read(inputs))}

    @signature(serialized)
    def regress_short(inputs):
        return {"outputs": read(inputs)["x"][1:]}

    save(
        model,
        folder,
        serving_default=classify,
        classify_scores=classify_scores,
        classify_classes=classify_classes,
        classify_flat=classify_flat,
        classify_texts=classify_texts,
        both=both,
        regress_column=regress_column,
        regress_wide=regress_wide,
        regress_short=regress_short,
    )
    share_an_input(folder, "both", "shared_classify", "regress")


def share_an_input(folder: Path, both: str, classify: str, regress: str) -> None:
    """Splits the signature `both` into two over the same input tensor, with their method names.

    `tf.saved_model.save` gives each signature an input tensor of its own, and all the method name
    of Predict.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    for name, method, dropped in (
        (classify, "classify", ("outputs",)),
        (regress, "regress", ("classes", "scores")),
    ):
        signatures[name].CopyFrom(signatures[both])
        signatures[name].method_name = f"tensorflow/serving/{method}"
        for output in dropped:
            del signatures[name].outputs[output]
    del signatures[both]
    path.write_bytes(saved.SerializeToString())


def save_tokenizer(folder: Path, vocabulary: Path) -> None:
    """A WordPiece tokenizer in the graph: ops that TensorFlow itself does not have."""
    import tensorflow_text

    model = tf.Module()
    model.tokenizer = tensorflow_text.BertTokenizer(
        tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                tf.saved_model.Asset(str(vocabulary)),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            num_oov_buckets=1,
        ),
        lower_case=True,
    )

    @signature({"text": STRINGS})
    def default(inputs):
        tokens = model.tokenizer.tokenize(inputs["text"]).merge_dims(1, 2)
        return {"tokens": tokens.to_tensor(-1)}

    save(model, folder, serving_default=default)


def write_configs(models: Path, folder: Path) -> None:
    """Writes the files that a server's flags may name for `models`."""
    entries = "".join(
        f'  config {{ name: "{path.name}" base_path: "{path}" model_platform: "tensorflow" }}\n'
        for path in sorted(models.resolve().iterdir())
        if path.is_dir()
    )
    (folder / "models.config").write_text(f"model_config_list {{\n{entries}}}\n")
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }\n")


if __name__ == "__main__":
    save_all(Path(sys.argv[1]))
    write_configs(Path(sys.argv[1]), Path(sys.argv[1]))
