"""Rules, and the alerts that they raise: when, how often, and in which words."""

import pytest

from tfrec.errors import UserError
from tfrec.monitoring.alerts.book import AlertBook, Figure
from tfrec.monitoring.alerts.rules import Rule
from tfrec.monitoring.live.config import load_monitor_config

MINUTE = 60.0
NOW = 1_700_000_000.0


def rule(**fields):
    return Rule(**{"name": "slow", "metric": "latency", "above": 100.0, **fields})


def states(book, values, *, minutes=1.0, metric="latency"):
    """Returns the state that each value led to, or None where there was nothing to tell."""
    told = []
    for step, value in enumerate(values):
        figures = {} if value is None else {metric: Figure(value)}
        alerts = book.update(
            figures, now=NOW + step * minutes * MINUTE, elapsed=minutes * MINUTE if step else 0.0
        )
        book.store()
        assert len(alerts) <= 1
        told.append(alerts[0].state if alerts else None)
    return told


class TestWhen:
    def test_at_once(self):
        assert states(AlertBook([rule()]), [99, 100, 101]) == [None, None, "raised"]

    def test_below(self):
        book = AlertBook([rule(above=None, below=1.0)])
        assert states(book, [1, 0, 1]) == [None, "raised", "ended"]

    def test_only_after_its_time_without_a_break(self):
        book = AlertBook([rule(for_minutes=2)])
        values = [150, 150, 50, 150, 150, 150]
        assert states(book, values) == [None, None, None, None, None, "raised"]

    def test_hysteresis(self):
        book = AlertBook([rule(recovers_at=80.0)])
        assert states(book, [101, 99, 101, 81, 80]) == ["raised", None, None, None, "ended"]

    def test_an_end_takes_as_long_as_a_beginning(self):
        book = AlertBook([rule(for_minutes=2)])
        values = [150] * 3 + [50, 150, 50, 50, 50]
        assert states(book, values)[2:] == ["raised", None, None, None, None, "ended"]

    def test_told_of_once_and_again_after_a_while(self):
        book = AlertBook([rule()], repeat_hours=1.0)
        told = states(book, [150] * 150)
        assert told[0] == "raised"
        assert [step for step, state in enumerate(told) if state == "still"] == [60, 120]

    def test_a_missing_figure_changes_nothing(self):
        book = AlertBook([rule(for_minutes=2)])
        assert states(book, [150, None, 150, 150]) == [None, None, None, "raised"]
        assert states(book, [None, None]) == [None, None]
        assert book.firing == ["slow latency"]
        assert states(book, [float("nan")]) == [None]

    def test_a_clock_that_jumps_raises_nothing(self):
        book = AlertBook([rule(for_minutes=60)])
        for now in (NOW, NOW + 1e6, NOW - 1e6):
            assert book.update({"latency": Figure(150.0)}, now=now, elapsed=15.0) == []

    def test_every_figure_that_the_pattern_matches_is_watched_by_itself(self):
        book = AlertBook([rule(metric="latency/*/p99")])
        alerts = book.update(
            {tag: Figure(150.0) for tag in ("latency/a/p99", "latency/b/p99", "latency/b/p50")},
            now=NOW,
            elapsed=0.0,
        )
        assert [alert.metric for alert in alerts] == ["latency/a/p99", "latency/b/p99"]

    def test_two_rules_on_one_figure(self):
        book = AlertBook([rule(), rule(name="very-slow", above=500.0)])
        assert len(book.update({"latency": Figure(900.0)}, now=NOW, elapsed=0.0)) == 2


class TestAcrossRestarts:
    def test_what_was_raised_is_not_raised_again(self, tmp_path):
        file = tmp_path / "alerts.json"
        assert states(AlertBook([rule()], file=file), [150]) == ["raised"]
        again = AlertBook([rule()], file=file)
        assert states(again, [150, 50]) == [None, "ended"]
        assert AlertBook([rule()], file=file).firing == []

    def test_rules_that_are_gone_are_forgotten(self, tmp_path):
        file = tmp_path / "alerts.json"
        states(AlertBook([rule()], file=file), [150])
        assert AlertBook([rule(name="other")], file=file).firing == []

    def test_what_was_not_stored_is_raised_again(self, tmp_path):
        book = AlertBook([rule()], file=tmp_path / "alerts.json")
        book.update({"latency": Figure(150.0)}, now=NOW, elapsed=0.0)
        assert states(AlertBook([rule()], file=tmp_path / "alerts.json"), [150]) == ["raised"]

    @pytest.mark.parametrize("text, words", [("{", "not valid JSON"), ('{"a": 3}', "remove it")])
    def test_a_damaged_file_is_a_users_matter(self, tmp_path, text, words):
        (tmp_path / "alerts.json").write_text(text)
        with pytest.raises(UserError, match=words):
            AlertBook([rule()], file=tmp_path / "alerts.json")


class TestWords:
    def test_what_moved_by_how_much_since_when_and_where_to_look(self):
        book = AlertBook([rule(for_minutes=2, severity="critical", look="the server's log")])
        for step in range(3):
            alerts = book.update(
                {"latency": Figure(150.0 + step, "p99 50 → 150")},
                now=NOW + step * MINUTE,
                elapsed=MINUTE,
            )
        assert alerts[0].message == (
            "critical: slow: latency is 152, above 100, since 2023-11-14 22:13:20 UTC; "
            "moved: p99 50 → 150; look at the server's log"
        )
        ended = [
            book.update({"latency": Figure(9.0)}, now=NOW + step, elapsed=MINUTE)
            for step in range(3)
        ][-1]
        assert ended[0].message == (
            "ended: slow: latency is 9 again (worst 152, limit 100); it was above since "
            "2023-11-14 22:13:20 UTC"
        )

    def test_json(self):
        (alert,) = AlertBook([rule()]).update({"latency": Figure(150.0)}, now=NOW, elapsed=0.0)
        row = alert.to_json()
        assert (row["state"], row["value"], row["limit"], row["since"]) == ("raised", 150, 100, NOW)
        assert row["since_utc"] == "2023-11-14 22:13:20 UTC" and row["text"] == alert.message


class TestRules:
    @pytest.mark.parametrize("yaml, words", [
        ("rules:\n- {name: a, metric: m, above: 1, belwo: 2}", "did you mean .*below"),
        ("rules:\n- {name: a, metric: m}", "should have one of `above` and `below`"),
        ("rules:\n- {name: a, metric: m, above: 1, below: 2}", "should have one of"),
        ("rules:\n- {name: a, metric: m, above: 1, recovers_at: 2}", "worse than its limit"),
        ("rules:\n- {name: a, metric: m, below: 1, recovers_at: 0}", "worse than its limit"),
        ("rules:\n- {name: a b, metric: m, above: 1}", "name"),
        ("rules:\n- {name: a, metric: m, above: 1, severity: loud}", "severity"),
        ("rules:\n- {name: a, metric: m, above: high}", "should be a number"),
        ("rules:\n- {name: a, metric: m, above: 1}\n- {name: a, metric: n, above: 1}", "two rules"),
        ("webhook: {url: 'ftp://x'}", "url"),
        ("intervall_seconds: 3", "did you mean `interval_seconds`"),
    ])  # fmt: skip
    def test_mistakes_are_answered_in_a_sentence(self, tmp_path, yaml, words):
        (tmp_path / "monitor.yaml").write_text(yaml)
        with pytest.raises(UserError, match=words) as caught:
            load_monitor_config(tmp_path / "monitor.yaml")
        assert "\n" not in str(caught.value)

    def test_shipped_rules_stand_in_where_there_are_none(self, tmp_path):
        (tmp_path / "monitor.yaml").write_text("interval_seconds: 3\n")
        config = load_monitor_config(tmp_path / "monitor.yaml")
        assert config.interval_seconds == 3
        assert config.rules == load_monitor_config().rules
        (tmp_path / "monitor.yaml").write_text("rules: []\n")
        assert load_monitor_config(tmp_path / "monitor.yaml").rules == []

    def test_every_shipped_rule_says_where_to_look(self):
        rules = load_monitor_config().rules
        assert rules and all(rule.look for rule in rules)
        assert all(rule.look.endswith(rule.look.rstrip(".")) for rule in rules)
