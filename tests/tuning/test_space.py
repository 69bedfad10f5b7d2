"""The space that a tuning searches, as its file says it."""

import optuna
import pytest

from tfrec.config import ExperimentConfig, change_config, parse_config
from tfrec.errors import UserError
from tfrec.tuning.space import SearchSpace

SPACE = """
retrieval.dropout: {low: 0.0, high: 0.6}
retrieval:
  lstm_units: {low: 32, high: 256, log: true}
  training:
    learning_rate: {low: 1e-4, high: 1e-2, log: true}
  target: [next_event, next_basket]
  history_averages: [[], [1.0, 0.9]]
"""


@pytest.fixture
def read(tmp_path):
    def read(text: str, config: ExperimentConfig | None = None) -> SearchSpace:
        (tmp_path / "space.yaml").write_text(text)
        return SearchSpace.read(tmp_path / "space.yaml", config or ExperimentConfig())

    return read


def test_settings_of_every_kind_are_proposed(read):
    space = read(SPACE)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    tried = [space.suggest(study.ask()) for _ in range(30)]
    assert set(tried[0]) == {
        "retrieval.dropout",
        "retrieval.lstm_units",
        "retrieval.training.learning_rate",
        "retrieval.target",
        "retrieval.history_averages",
    }
    assert {one["retrieval.target"] for one in tried} == {"next_event", "next_basket"}
    assert all(one["retrieval.history_averages"] in ([], [1.0, 0.9]) for one in tried)
    assert all(type(one["retrieval.lstm_units"]) is int for one in tried)
    rates = [one["retrieval.training.learning_rate"] for one in tried]
    # On a logarithmic scale half of them lie below the middle of the powers.
    assert 5 < sum(rate < 1e-3 for rate in rates) < 25


def test_settings_at_hand_become_parameters_where_the_space_holds_them(read):
    space = read(SPACE)
    config = parse_config({"retrieval": {"dropout": 0.9, "lstm_units": 64}}, "here")
    found = space.parameters(config)
    assert "retrieval.dropout" not in found
    assert found["retrieval.lstm_units"] == 64
    assert space.settings(found)["retrieval.target"] == config.retrieval.target


@pytest.mark.parametrize(
    ("space", "value", "fits"),
    [
        ("{low: 0, high: 2}", 1.0, False),  # A range of whole numbers.
        ("{low: 0.0, high: 2.0}", 1.0, True),
        ("{low: 0.0, high: 2.0, step: 0.5}", 1.5, True),
        ("{low: 0.0, high: 2.0, step: 0.5}", 1.2, False),
        ("{low: 0.1, high: 1.9, step: 0.3}", 0.7, True),
        ("[0.5, 1.0]", 0.7, False),
    ],
)
def test_only_what_a_trial_can_take_just_so_becomes_a_parameter(read, space, value, fits):
    config = parse_config({"ranking": {"event_loss": value}}, "here")
    found = read(f"ranking.event_loss: {space}").parameters(config)
    assert ("ranking.event_loss" in found) == fits


def test_a_choice_of_some_keys_of_a_section_leaves_the_others(read):
    config = parse_config({"retrieval": {"training": {"learning_rate": 0.003}}}, "here")
    space = read("retrieval.training: [{epochs: 3}, {epochs: 5}]", config)
    settings = space.settings({"retrieval.training": '{"epochs": 5}'})
    changed = change_config(config, settings).retrieval.training
    assert (changed.epochs, changed.learning_rate) == (5, 0.003)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "should hold settings to vary"),
        ("- a", "should hold settings to vary"),
        ("retrieval.droput: {low: 0, high: 1}", "did you mean `retrieval.dropout`"),
        ("retrieval.dropout: 0.3", "should be a list of choices, or a range"),
        ("retrieval.dropout: [0.3]", "should have two choices or more"),
        ("retrieval.dropout: {low: 0.5, high: 0.1}", "`low` should be below `high`"),
        ("retrieval.dropout: {low: 0.5}", "`high` should be a number. Received: None"),
        ("retrieval.dropout: {low: 0.1, high: 3.0}", "`retrieval.dropout` should be"),
        ("retrieval.dropout: {low: 0.1, high: 0.5, lag: 1}", "has the key `lag`"),
        ("retrieval.dropout: {low: 0.0, high: 0.5, log: true}", "`low` should be above 0"),
        (
            "retrieval.lstm_units: {low: 8, high: 16, step: 0.5}",
            "`retrieval.lstm_units` should be a whole number",
        ),
        ("retrieval.lstm_units: {low: 8, high: 16, step: 0}", "`step` should be above 0"),
        ("retrieval.target: [next_event, next_year]", "`retrieval.target` should be"),
        (
            "retrieval: {dropout: [0.1, 0.2]}\nretrieval.dropout: [0.3, 0.4]",
            "`retrieval.dropout` is given twice",
        ),
    ],
)
def test_mistakes_are_told_in_a_sentence(read, text, sentence):
    with pytest.raises(UserError) as told:
        read(text)
    assert sentence in str(told.value) and "\n" not in str(told.value)
