"""Configurations load as written, and every mistake in one gets one clear sentence."""

import pytest
import yaml

from tests.conftest import ROOT
from tfrec.config import (
    DataConfig,
    DisplayConfig,
    ExperimentConfig,
    ExportConfig,
    TrainingConfig,
    change_config,
    dump_config,
    load_config,
    load_stored_config,
    parse_config,
    take_sections,
)
from tfrec.config.mistakes import REMOVED
from tfrec.errors import UserError


@pytest.fixture
def load(tmp_path):
    """Loads a configuration given as text."""

    def load_text(text):
        path = tmp_path / "experiment.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    return load_text


@pytest.fixture
def mistake(load, tmp_path):
    """Returns the sentence that a wrong configuration gets, without the file's name."""

    def sentence(text):
        with pytest.raises(UserError) as raised:
            load(text)
        message = str(raised.value)
        assert message.startswith(str(tmp_path / "experiment.yaml"))
        assert "\n" not in message
        return message.removeprefix(str(tmp_path / "experiment.yaml")).removeprefix(": ")

    return sentence


class TestLoading:
    def test_no_file_means_the_defaults(self):
        assert load_config(None) == ExperimentConfig()

    @pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}", "retrieval:\n", "ranking: null"])
    def test_empty_files_and_sections_mean_the_defaults(self, load, text):
        assert load(text) == ExperimentConfig()

    def test_values_replace_defaults_and_only_those(self, load):
        config = load("seed: 7\nretrieval:\n  training:\n    epochs: 2\n")
        assert config.seed == 7
        assert config.retrieval.training.epochs == 2
        assert config.retrieval.dimension == ExperimentConfig().retrieval.dimension
        assert config.ranking == ExperimentConfig().ranking

    @pytest.mark.parametrize(
        ("text", "section"),
        [
            ("ranking:\n  training:\n    patience: 5\n", "ranking"),
            ("text_training:\n  masked:\n    training: {patience: 5}\n", "text_training.masked"),
            ("text_training: {distil: {training: {patience: 5}}}", "text_training.distil"),
        ],
    )
    def test_a_section_given_in_part_keeps_the_defaults_of_its_place(self, load, text, section):
        """Trainings share a class, but the BERT's, for one, have learning rates of their own."""
        expected, given = ExperimentConfig(), load(text)
        for name in section.split("."):
            expected, given = getattr(expected, name), getattr(given, name)
        assert expected.training != TrainingConfig()
        assert given.training == expected.training.model_copy(update={"patience": 5})

    @pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "0.001", "1E-3"])
    def test_powers_of_ten_are_numbers(self, load, text):
        """YAML 1.1, which PyYAML reads, takes ``1e-3`` for a text."""
        config = load(f"retrieval:\n  training:\n    learning_rate: {text}\n")
        assert config.retrieval.training.learning_rate == 0.001

    def test_whole_number_for_a_fraction(self, load):
        assert load("retrieval:\n  temperature: 1\n").retrieval.temperature == 1.0

    def test_lists_of_sections(self, load):
        config = load("data:\n  categorical_columns:\n  - column: colour\n    separator: '|'\n")
        (column,) = config.data.categorical_columns
        assert (column.column, column.separator) == ("colour", "|")

    def test_configuration_cannot_be_changed_after_loading(self, load):
        with pytest.raises(ValueError, match="frozen"):
            load("").seed = 3


class TestDumping:
    def test_defaults_survive_a_round_trip(self, load):
        assert load(dump_config(ExperimentConfig())) == ExperimentConfig()

    def test_values_survive_a_round_trip(self, load):
        text = (
            "seed: 3\n"
            "data:\n  user_salt: 'sälz: #1'\n  event_types: ['on', '1', view]\n"
            "retrieval:\n  negatives: sampled\n  training:\n"
            "    learning_rate: 1e-7\n    mixed_precision: true\n"
        )
        config = load(text)
        assert config.data.user_salt == "sälz: #1"
        assert config.data.event_types == ["on", "1", "view"]
        assert load(dump_config(config)) == config

    def test_every_key_is_shown_in_the_order_of_the_classes(self):
        shown = yaml.safe_load(dump_config(ExperimentConfig()))
        assert list(shown) == list(ExperimentConfig.model_fields)
        for name, section in shown.items():
            if isinstance(section, dict):
                assert list(section) == list(type(getattr(ExperimentConfig(), name)).model_fields)


class TestStoredConfigurations:
    """What tfrec wrote into a run may be of an earlier version; what somebody writes may not."""

    OLD = "seed: 3\nupdate:\n  validation_shoppers: 500\n  epochs: 2\n"

    def test_a_key_that_was_removed_is_passed_over(self, tmp_path):
        path = tmp_path / "config.yaml"
        path.write_text(self.OLD, encoding="utf-8")
        config = load_stored_config(path)
        assert (config.seed, config.update.epochs) == (3, 2)
        path.write_text("update:\n", encoding="utf-8")
        assert load_stored_config(path) == ExperimentConfig()

    def test_it_is_refused_where_somebody_writes_it(self, mistake):
        assert mistake(self.OLD) == (
            "the key `update.validation_shoppers` was removed, as whether an update is served is "
            "for its guardrails to say; leave it out"
        )

    def test_keys_that_never_were_are_refused_with_what_to_do(self, tmp_path):
        path = tmp_path / "config.yaml"
        path.write_text("retrieval:\n  dimention: 3\n", encoding="utf-8")
        with pytest.raises(UserError) as raised:
            load_stored_config(path)
        assert str(raised.value) == (
            f"{path}: unknown key `retrieval.dimention`; did you mean `retrieval.dimension`?; "
            "tfrec wrote this file, so it was another version of tfrec, or somebody changed it: "
            "use that version, or train or export again"
        )

    @pytest.mark.parametrize("path", REMOVED)
    def test_removed_keys_are_keys_no_more(self, path):
        *sections, key = path.split(".")
        place = ExperimentConfig()
        for section in sections:
            place = getattr(place, section)
        assert not hasattr(place, key)


class TestShippedConfigurations:
    @pytest.mark.parametrize(
        "path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name
    )
    def test_loads(self, path):
        load_config(path)

    def test_there_are_some(self):
        names = {path.stem for path in (ROOT / "configs").glob("*.yaml")}
        assert {"online_retail", "amazon_beauty", "amazon_scientific"} <= names


class TestUnknownKeys:
    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("retrival: {}", "unknown key `retrival`; did you mean `retrieval`?"),
            (
                "retrieval:\n  dimention: 64",
                "unknown key `retrieval.dimention`; did you mean `retrieval.dimension`?",
            ),
            (
                "ranking:\n  training:\n    epoch: 3",
                "unknown key `ranking.training.epoch`; did you mean `ranking.training.epochs`?",
            ),
            (
                "max_history: 1",
                "unknown key `max_history`; it belongs at `retrieval.max_history` or "
                "`ranking.max_history`",
            ),
            (
                "data:\n  categorical_columns:\n  - colum: x",
                "unknown key `data.categorical_columns[0].colum`; did you mean "
                "`data.categorical_columns[0].column`? (1 more mistake in the file)",
            ),
            (
                "xyzzy: 1",
                "unknown key `xyzzy`; valid keys here: " + ", ".join(ExperimentConfig.model_fields),
            ),
            (
                "1: 2",
                "unknown key `1`; valid keys here: " + ", ".join(ExperimentConfig.model_fields),
            ),
        ],
    )
    def test_the_key_and_what_was_meant_are_named(self, mistake, text, sentence):
        assert mistake(text) == sentence


class TestWrongValues:
    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("seed: abc", "`seed` should be a whole number. Received: 'abc'"),
            ("seed: 1.5", "`seed` should be a whole number. Received: 1.5"),
            ("seed: true", "`seed` should be a whole number. Received: True"),
            ("seed: '5'", "`seed` should be a whole number. Received: '5'"),
            ("retrieval: 3", "`retrieval` should be a section of keys. Received: 3"),
            ("retrieval: [a]", "`retrieval` should be a section of keys. Received: ['a']"),
            (
                "retrieval:\n  training: fast",
                "`retrieval.training` should be a section of keys. Received: 'fast'",
            ),
            (
                "retrieval:\n  negatives: all",
                "`retrieval.negatives` should be 'full', 'sampled' or 'in_batch'. Received: 'all'",
            ),
            (
                "retrieval:\n  training:\n    epochs: -1",
                "`retrieval.training.epochs` should be at least 0. Received: -1",
            ),
            (
                "retrieval:\n  dropout: 1",
                "`retrieval.dropout` should be less than 1. Received: 1",
            ),
            (
                "retrieval:\n  event_weights:\n    cart: -1",
                "`retrieval.event_weights.cart` should be at least 0. Received: -1",
            ),
            (
                "retrieval:\n  temperature: 0",
                "`retrieval.temperature` should be greater than 0. Received: 0",
            ),
            (
                "retrieval:\n  temperature: .nan",
                "`retrieval.temperature` should be a finite number. Received: nan",
            ),
            (
                "retrieval:\n  temperature: warm",
                "`retrieval.temperature` should be a number. Received: 'warm'",
            ),
            (
                "text:\n  max_tokens: 1000",
                "`text.max_tokens` should be at most 512. Received: 1000",
            ),
            (
                "retrieval:\n  training:\n    mixed_precision: 1",
                "`retrieval.training.mixed_precision` should be true or false. Received: 1",
            ),
            (
                "data:\n  context_columns: country",
                "`data.context_columns` should be a list, such as [a, b]. Received: 'country'",
            ),
            (
                "data:\n  context_columns: [country, 3]",
                "`data.context_columns[1]` should be a text; put it in quotes. Received: 3",
            ),
            (
                "data:\n  categorical_columns:\n  - separator: ','",
                "`data.categorical_columns[0].column` is missing, and has no default",
            ),
            (
                "evaluation:\n  cutoffs: []",
                "`evaluation`: cutoffs should be a list of positive integers, such as [5, 10, 20]",
            ),
            (
                "seed: x\nretrieval:\n  dimension: y\n  dropout: z",
                "`seed` should be a whole number. Received: 'x' (2 more mistakes in the file)",
            ),
        ],
    )
    def test_the_key_and_what_is_valid_are_named(self, mistake, text, sentence):
        assert mistake(text) == sentence


class TestUnreadableFiles:
    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("- a", " should hold keys such as `seed:`; it holds a list"),
            ("hello", " should hold keys such as `seed:`; it holds a str"),
            (
                "seed: [",
                " is not valid YAML: line 1, column 8: expected the node content, but found "
                "'<stream end>'",
            ),
            (
                "seed: 1\nseed: 2",
                " is not valid YAML: line 2, column 1: the key `seed` is given twice",
            ),
            (
                "retrieval:\n\tdimension: 3",
                " is not valid YAML: line 2, column 1: found character '\\t' that cannot start "
                "any token",
            ),
            ("? [a]\n: b", " is not valid YAML: line 1, column 3: found unhashable key"),
            (
                "seed: !!python/name:os.system",
                " is not valid YAML: line 1, column 7: could not determine a constructor for the "
                "tag 'tag:yaml.org,2002:python/name:os.system'",
            ),
        ],
    )
    def test_the_place_is_named(self, mistake, text, sentence):
        assert mistake(text) == sentence

    def test_missing_file(self, tmp_path):
        with pytest.raises(UserError, match=r"^there is no configuration file .*none\.yaml$"):
            load_config(tmp_path / "none.yaml")

    def test_folder(self, tmp_path):
        with pytest.raises(UserError, match="cannot be read: Is a directory"):
            load_config(tmp_path)

    def test_binary_file(self, tmp_path):
        (tmp_path / "model.yaml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(UserError, match=r"model\.yaml is not a text file in UTF-8"):
            load_config(tmp_path / "model.yaml")


def test_a_residual_between_different_widths_is_refused(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text("retrieval: {lstm_first_residual: true}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"lstm_units \(256\) to be equal to dimension \(128\)"):
        load_config(path)


def test_heads_that_do_not_share_a_state_evenly_are_refused(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text("retrieval: {state_attention: 3}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"\(3\) should divide lstm_units \(256\)"):
        load_config(path)


@pytest.mark.parametrize(
    ("given", "kept"), [("true", "all"), ("false", "none"), ("negatives", "negatives")]
)
def test_logq_correction_was_a_switch_once(tmp_path, given, kept):
    path = tmp_path / "shop.yaml"
    path.write_text(
        f"retrieval: {{negatives: in_batch, logq_correction: {given}}}\n", encoding="utf-8"
    )
    assert load_config(path).retrieval.logq_correction == kept


@pytest.mark.parametrize(
    "given", ["cross_batch_memory: 8", "hard_negatives: 8", "logq_correction: negatives"]
)
def test_further_negatives_are_refused_beside_all_items(tmp_path, given):
    path = tmp_path / "shop.yaml"
    path.write_text(f"retrieval: {{{given}}}\n", encoding="utf-8")
    name = given if "logq" in given else given.split(":")[0]
    with pytest.raises(UserError, match=f"`retrieval`: {name} does nothing with `negatives: full`"):
        load_config(path)


def test_a_memory_of_batches_is_refused_beside_adversarial_training(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(
        "retrieval:\n  negatives: in_batch\n  cross_batch_memory: 8\n"
        "  training: {adversarial: fgm}\n",
        encoding="utf-8",
    )
    with pytest.raises(UserError, match="cross_batch_memory remembers each batch once"):
        load_config(path)


def test_repeat_bonus_is_refused_where_it_would_not_be_trained(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text("retrieval: {repeat_bonus: true, negatives: sampled}\n", encoding="utf-8")
    with pytest.raises(UserError, match="`retrieval`: repeat_bonus is trained with"):
        load_config(path)


def test_content_alone_needs_its_texts(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text("retrieval: {content_only: true, text_fusion: id_from_text}\n")
    with pytest.raises(UserError, match="text_fusion: id_from_text puts ids in the place of texts"):
        load_config(path)


@pytest.mark.parametrize(
    ("step", "given", "sentence"),
    [
        ("masked", "mixed_precision: true", "masked.training.mixed_precision does nothing"),
        ("contrastive", "batch_positions: 64", "its batches is contrastive.batch_pairs"),
        ("distil", "batch_lists: 64", "the size of its batches is distil.batch_texts"),
        ("distil", "epochs: 0", "distil.training.epochs should be at least 1"),
    ],
)
def test_trainings_of_texts_refuse_what_they_would_pass_over(tmp_path, step, given, sentence):
    path = tmp_path / "shop.yaml"
    path.write_text(f"text_training: {{{step}: {{training: {{{given}}}}}}}\n")
    with pytest.raises(UserError) as raised:
        load_config(path)
    assert sentence in str(raised.value)


class TestTakingSections:
    KEPT = parse_config(
        {"data": {"user_salt": "pepper"}, "export": {"k": 30}, "display": {"method": "mmr"}}, "here"
    )
    NAMES = ("data", "export", "display")

    def take(self, given):
        return take_sections(self.KEPT, parse_config(given, "there"), self.NAMES)

    def test_what_is_not_named_stays(self):
        assert self.take({"update": {"train_days": 0}}) == self.KEPT
        assert take_sections(self.KEPT, load_config(None), self.NAMES) == self.KEPT

    def test_what_is_named_is_taken_whole(self):
        taken = self.take({"export": {"keep_versions": 2}, "display": None})
        assert taken.export == ExportConfig(keep_versions=2)
        assert taken.display.method == "mmr"
        assert self.take({"display": {}}).display == DisplayConfig()

    @pytest.mark.parametrize(("given", "kept"), [({}, "pepper"), ({"user_salt": "x"}, "x")])
    def test_a_salt_stays_unless_there_is_another(self, given, kept):
        taken = self.take({"data": {"split": "temporal", **given}})
        assert taken.data == DataConfig(split="temporal", user_salt=kept)

    def test_a_changed_configuration_names_what_it_named_and_what_was_changed(self):
        given = change_config(
            parse_config({"export": {"k": 7}}, "there"), {"display.places": 5}, "the changes"
        )
        taken = take_sections(self.KEPT, given, self.NAMES)
        assert taken.data == self.KEPT.data
        assert (taken.export.k, taken.display.places, taken.display.method) == (7, 5, "value")


def test_changes_of_some_keys_of_a_section_leave_the_others():
    before = parse_config({"ranking": {"event_weights": {"cart": 0.5}}}, "here")
    changes = {"text_training": {"masked": {"training": {"epochs": 3}}}}
    after = change_config(before, {**changes, "ranking.event_weights": {"purchase": 2.0}})
    usual = ExperimentConfig().text_training.masked.training
    assert after.text_training.masked.training == usual.model_copy(update={"epochs": 3})
    assert after.ranking.event_weights == {"purchase": 2.0}
