"""A/B read-outs from simulated event logs: what is counted, what is concluded."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from pipelines.ab import command
from tests.monitoring.shop import event_line, served_line, write_log
from tfrec.errors import UserError
from tfrec.monitoring.experiment.readout import read_out
from tfrec.monitoring.experiment.shoppers import covariates, read_shoppers
from tfrec.monitoring.live.event_log import ServedList, ShopperEvent

START = 1_700_000_000.0
DAY = 86_400.0


def parsed(rows):
    return [(ServedList if "item_ids" in row else ShopperEvent)(**row) for row in rows]


def simulated_log(*, shoppers=600, lift=0.0, share_of_b=0.5, slower=1.0, mixed=0.0, seed=3):
    """A fortnight of version 1 alone, then a fortnight of both; B sells `lift` more."""
    random = np.random.default_rng(seed)
    rows = []
    for shopper in range(shoppers):
        user = f"u{shopper}"
        keen = random.gamma(2.0, 1.0)
        in_b = random.random() < share_of_b
        for day in range(28):
            if random.random() > 0.3:
                continue
            both = day >= 14
            flipped = random.random() < mixed
            version = 1 + int(both and in_b != flipped)
            time = START + day * DAY + random.integers(DAY)
            number = shopper * 100 + day
            latency = 5.0 * (slower if version == 2 else 1.0) * random.uniform(0.5, 1.5)
            rows.append(served_line(time, user, number, version, list("abcde"), latency_ms=latency))
            recommendation = rows[-1]["recommendation_id"]
            for item in np.array(list("abcde"))[random.random(5) < 0.1]:
                rows.append(event_line(time + 5, item, "click", user, recommendation))
            more = 1 + lift * (version == 2)
            for _ in range(random.poisson(0.3 * keen * more)):
                rows.append(event_line(time + 60, "a", "purchase", user, value=10.0))
    return rows


def readout_of(rows, **settings):
    return read_out(read_shoppers(parsed(rows)), **settings)


class TestCounting:
    def table(self, rows, **settings):
        return read_shoppers(parsed(rows), **{"a": "1", "b": "2", **settings}).table

    def rows(self):
        return [
            served_line(START - 10 * DAY, "u", 1, 1),
            event_line(START - 9 * DAY, event="purchase", value=4.0),
            served_line(START, "v", 2, 2, list("abc"), latency_ms=None),
            event_line(START + 1, "a", "purchase", "u"),  # before the first list of the test
            served_line(START + 2, "u", 3, 1, list("ab"), latency_ms=7.0),
            event_line(START + 3, "a", "impression", "u", f"1-{3:016x}"),
            event_line(START + 3, "a", "impression", "u", f"1-{3:016x}"),
            event_line(START + 4, "a", "click", "u", f"1-{3:016x}"),
            event_line(START + 4, "z", "click", "u"),
            event_line(START + 5, "z", "purchase", "u", value=2.5),
            event_line(START + 6, "z", "return", "u"),
            event_line(START + 6, "z", "purchase", "stranger"),
            served_line(START + 7, "v", 4, 2, []),
            served_line(START + 8, "u", 5, 1),
        ]

    def test_what_each_shopper_did(self):
        table = self.table(self.rows(), end=START + 8)
        assert sorted(table.index) == ["u", "v"]
        u, v = table.loc["u"], table.loc["v"]
        assert (u["arm"], u["lists"], u["places"], u["impressions"], u["clicks"]) == (0, 2, 4, 1, 1)
        assert (u["conversions"], u["revenue"], u["returns"], u["latency"]) == (1, 2.5, 1, 12)
        assert (v["arm"], v["lists"], v["empty"], v["timed"]) == (1, 2, 1, 1)
        assert (u["before_lists"], u["before_conversions"], u["before_any"]) == (1, 1, 1)
        assert v["before_any"] == 0
        assert covariates(table).shape == (2, 4)

    def test_the_order_of_the_lines_does_not_matter(self):
        rows = self.rows()
        again = self.table(rows[::-1], end=START + 8)
        assert again.sort_index().equals(self.table(rows, end=START + 8).sort_index())

    def test_events_before_the_covariates_begin_are_left_out(self):
        table = self.table(self.rows(), end=START + 8, before_days=5.0)
        assert not table.loc["u", "before_any"]

    def test_shoppers_who_saw_both(self):
        rows = [*self.rows(), served_line(START + 7.5, "u", 9, 2)]
        table = self.table(rows)
        assert (table.loc["u", "arm"], table.loc["u", "mixed"]) == (0, 1)

    def test_variants(self):
        rows = [
            served_line(START + n, f"u{n}", n, 7, variant="new" if n % 2 else "old")
            for n in range(4)
        ]
        found = read_shoppers(parsed(rows), by="variant")
        assert (found.a, found.b) == ("old", "new")
        assert found.table["arm"].tolist() == [1, 0]

    @pytest.mark.parametrize("arms, words", [
        ({}, "name the two versions to compare with --a and --b; the log has: 1, 2, 3"),
        ({"a": "1", "b": "9"}, "no list of the version 9; it has: 1, 2, 3"),
        ({"a": "1", "b": "1"}, "both 1"),
        ({"a": "1", "b": "3"}, "never served at the same time"),
    ])  # fmt: skip
    def test_mistakes(self, arms, words):
        rows = [served_line(START + n, f"u{n}", n, 1 + n % 2) for n in range(6)]
        rows.append(served_line(START + 99, "w", 99, 3))
        with pytest.raises(UserError, match=words):
            read_shoppers(parsed(rows), **arms)

    def test_an_empty_log(self):
        with pytest.raises(UserError, match="the log has: none"):
            read_shoppers([])


class TestConclusions:
    def test_better(self):
        found = readout_of(simulated_log(lift=0.6))
        assert found.verdict == "better"
        assert found.metrics[0].name == "conversions per shopper"
        assert found.metrics[0].difference.low < 0.6 < found.metrics[0].difference.high
        assert found.conclusion.startswith("2 is better than 1: conversions per shopper +")

    def test_worse(self):
        found = readout_of(simulated_log(lift=-0.5))
        assert found.verdict == "worse"
        assert found.conclusion.startswith("2 is worse than 1")

    def test_alike(self):
        found = readout_of(simulated_log())
        assert found.verdict == "no difference shown"
        assert "finds a change of ±" in found.conclusion

    def test_a_harmed_guardrail_outweighs_a_gain(self):
        found = readout_of(simulated_log(lift=0.6, slower=2.0))
        assert found.verdict == "worse"
        assert found.conclusion.startswith(
            "2 should not replace 1: it harms a guardrail (latency of a list (ms) +"
        )
        states = {entry.name: entry.state for entry in found.guardrails}
        assert states["latency of a list (ms)"] == "worse"

    def test_a_split_that_is_not_as_meant(self):
        rows = simulated_log(lift=0.6, share_of_b=0.35)
        found = readout_of(rows)
        assert found.verdict == "not to be trusted"
        assert "where 50% to 50% was expected" in found.conclusion
        assert readout_of(rows, share_of_b=0.35).verdict == "better"

    def test_shoppers_who_saw_both(self):
        found = readout_of(simulated_log(mixed=0.3))
        assert "were shown lists of both" in found.conclusion

    def test_too_few_shoppers(self):
        assert "too few" in readout_of(simulated_log(shoppers=60)).conclusion

    def test_nothing_happened(self):
        rows = [row for row in simulated_log(shoppers=300) if row["event"] == "recommendation"]
        assert "cannot be compared" in readout_of(rows).conclusion

    def test_the_days_before_narrow_the_interval(self):
        rows = simulated_log(lift=0.3)
        widths = [
            found.metrics[0].difference.high - found.metrics[0].difference.low
            for found in (readout_of(rows), readout_of(rows, cuped=False))
        ]
        assert widths[0] < 0.9 * widths[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A log of B selling more, with a line that is none."""
    folder = tmp_path_factory.mktemp("log")
    path = write_log(folder, simulated_log(lift=0.6))
    with path.open("a") as file:
        file.write("garbage\n")
    return folder


class TestCommand:
    def run(self, *arguments):
        return CliRunner().invoke(command, [str(argument) for argument in arguments])

    def test_json(self, folder):
        result = self.run("--event-log", folder, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert (found["a"], found["b"], found["verdict"]) == ("1", "2", "better")
        assert found["sample_ratio"]["ok"] and found["shoppers"]["a"] > 200
        assert {metric["name"] for metric in found["metrics"]} >= {"click rate"}
        assert "note: 1 lines of the log could not be read" in result.stderr

    def test_table(self, folder):
        result = self.run("--event-log", folder, "--a", "1", "--b", "2", "--split", "0.5")
        assert result.exit_code == 0
        assert "2 is better than 1" in result.output and "click rate" in result.output

    def test_a_period(self, folder):
        result = self.run("--event-log", folder, "--from", "2023-12-02", "--json")
        assert json.loads(result.stdout)["start"] == "2023-12-02 00:00 UTC"

    @pytest.mark.parametrize("arguments, words", [
        (["--from", "soon"], "should be a time such as"),
        (["--a", "5", "--b", "2"], "no list of the version 5"),
    ])  # fmt: skip
    def test_mistakes(self, folder, arguments, words):
        result = self.run("--event-log", folder, *arguments)
        assert isinstance(result.exception, UserError) and words in str(result.exception)

    def test_no_log(self, tmp_path):
        result = self.run("--event-log", tmp_path / "none")
        assert "there is no event log" in str(result.exception)
