"""The monitor as a whole: every source, every fault, and what ends up in TensorBoard."""

import errno
import os
from dataclasses import dataclass

import pytest

from tests.monitoring.shop import DAY, START, event_line, make_reference, served_line, write_log
from tests.monitoring.test_endpoints import page
from tests.monitoring.test_event_files import accumulate, scalar_of
from tfrec.errors import UserError
from tfrec.monitoring.alerts.rules import Rule
from tfrec.monitoring.live.config import DriftConfig, MonitorConfig, load_monitor_config
from tfrec.monitoring.live.fetching import Fetched
from tfrec.monitoring.live.monitor import Monitor, Sources

NOW = START + 28.0 * DAY


@dataclass(frozen=True)
class Version:
    name: str
    version: int
    state: str
    error: str = ""


class Killed(BaseException):
    """What a kill does to a look."""


class Kept:
    """A sink that keeps what it gets.

    Attributes:
        kills: whether the process is killed right after it took an alert.
    """

    def __init__(self):
        self.alerts = []
        self.kills = False

    def send(self, alert):
        self.alerts.append(alert)
        if self.kills:
            raise Killed

    def close(self):
        pass


@pytest.fixture(scope="module")
def reference():
    return make_reference()


@pytest.fixture
def pages():
    """What the endpoints answer now; tests change it."""
    return {"server": Fetched(page(), "", 0.01)}


@pytest.fixture
def watching(tmp_path, pages):
    """Makes monitors over `pages`, and closes them."""
    made = []

    def make(config=None, *, folder="out", **sources):
        monitor = Monitor(
            Sources({"server": "http://somewhere"}, **sources),
            config or load_monitor_config(),
            tmp_path / folder,
            [Kept()],
            started=NOW,
            fetch=lambda urls, *_: {name: pages[name] for name in urls},
        )
        made.append(monitor)
        return monitor

    yield make
    for monitor in made:
        monitor.close()


def looks(monitor, count, *, every=15.0, start=NOW):
    """Looks several times; returns what was told of."""
    return [
        alert for step in range(count) for alert in monitor.look(start + step * every, step * every)
    ]


class TestEndpoints:
    def test_an_outage_raises_and_ends(self, watching, pages, caplog):
        monitor = watching()
        looks(monitor, 2)
        pages["server"] = Fetched("", "no answer in time", 5.0)
        told = [alert for step in range(20) for alert in monitor.look(NOW + 30, 30 + step * 15.0)]
        assert [(alert.rule, alert.metric) for alert in told] == [("endpoint-down", "server/up")]
        # Said once in the log of the process, however long it lasts.
        assert caplog.text.count("no answer in time") == 1
        pages["server"] = Fetched(page(ok=99), "", 0.01)
        told = [alert for step in range(20) for alert in monitor.look(NOW + 90, 400 + step * 15.0)]
        assert [alert.state for alert in told] == ["ended"]

    def test_errors_raise_with_the_share(self, watching, pages):
        monitor = watching()
        told = []
        for step in range(40):
            pages["server"] = Fetched(page(ok=step * 90, failed=step * 10), "", 0.01)
            told += monitor.look(NOW + step * 15, step * 15.0)
        assert [alert.rule for alert in told] == ["errors"]
        assert told[0].value == pytest.approx(0.1)

    def test_a_restart_is_no_outage_and_no_negative_rate(self, watching, pages):
        monitor = watching()
        for step, ok in enumerate([0, 150, 300, 30, 180]):
            pages["server"] = Fetched(page(ok=ok), "", 0.01)
            monitor.look(NOW + step * 15, step * 15.0)
        monitor.close()
        found = scalar_of(accumulate(monitor.events.folder), "server/requests_per_second/m")
        assert [value for _, value in found] == [10, 10, 2, 10]


class TestVersions:
    def test_states_and_a_table(self, watching):
        versions = [
            Version("m", 2, "available"),
            Version("m", 1, "end"),
            Version("r", 1, "end", "x"),
        ]
        monitor = watching(versions=lambda: versions)
        looks(monitor, 2)
        assert monitor.figures["versions/m/available"] == 1
        assert monitor.figures["versions/r/available"] == 0
        assert (monitor.figures["versions/m/failed"], monitor.figures["versions/r/failed"]) == (
            0,
            1,
        )
        monitor.close()
        # The table is written when it changes, not at every look.
        assert len(accumulate(monitor.events.folder).Tensors("versions")) == 1

    def test_a_server_that_fails_in_any_way_is_down(self, watching):
        def fails():
            raise RuntimeError("unheard of")

        monitor = watching(versions=fails)
        looks(monitor, 1)
        assert monitor.figures["versions/up"] == 0


class TestEventLog:
    def test_what_is_served_goes_to_tensorboard(self, watching, tmp_path):
        lines = [served_line(NOW - 60, f"u{n}", n, items=["item-00", "item-01"]) for n in range(10)]
        write_log(
            tmp_path / "log", [*lines, event_line(NOW, user="u1", recommendation=f"1-{1:016x}")]
        )
        monitor = watching(event_log=tmp_path / "log", reference=make_reference)
        looks(monitor, 1)
        monitor.close()
        found = accumulate(monitor.events.folder)
        assert scalar_of(found, "served/coverage")[0][1] == pytest.approx(2 / 40)
        assert scalar_of(found, "online/1/click_rate")[0][1] == pytest.approx(1 / 20)

    def test_a_click_counts_that_another_gateway_took(self, watching, tmp_path):
        names = [f"events-20251122T0{hour}0000000000Z-0000abcd.jsonl" for hour in (1, 2)]
        monitor = watching(event_log=tmp_path / "log")
        for now in (NOW - 120, NOW - 60):
            for n in range(10):
                user, number = f"{now} {n}", int(now) + n
                ours, others = names[n % 2], names[(n + 1) % 2]
                served = served_line(now + n, user, number, items=["item-00"])
                write_log(tmp_path / "log", [served], ours, append=True)
                click = event_line(now + n + 0.5, user=user, recommendation=f"1-{number:016x}")
                write_log(tmp_path / "log", [click], others, append=True)
            monitor.look(now + 15, now)
            assert monitor.figures["online/1/click_rate"] == 1.0

    def test_no_log_yet(self, watching, tmp_path):
        monitor = watching(event_log=tmp_path / "log")
        told = looks(monitor, 10)
        assert monitor.figures["log/up"] == 0
        assert [alert.metric for alert in told] == ["log/up"]

    def test_silence_raises(self, watching, tmp_path):
        write_log(tmp_path / "log", [event_line(NOW - 10)])
        monitor = watching(event_log=tmp_path / "log")
        looks(monitor, 1)
        told = monitor.look(NOW + 2 * 3600, 2 * 3600.0)
        assert "no-events" in [alert.rule for alert in told]

    def test_clocks_that_differ(self, watching, tmp_path):
        write_log(
            tmp_path / "log", [{**event_line(NOW + 60), "time": NOW - 3000} for _ in range(5)]
        )
        monitor = watching(event_log=tmp_path / "log")
        looks(monitor, 1)
        assert monitor.figures["log/clock_skew_seconds"] == 3060
        # The gateway's clock is a minute ahead; freshness is not negative for that.
        assert monitor.figures["freshness/last_event_minutes"] == 0


class TestDrift:
    CONFIG = MonitorConfig(
        drift=DriftConfig(window_days=7, min_events=100),
        rules=[
            Rule(name="drift", metric="drift/behaviour/topic/times_usual", above=1.5, look="here"),
        ],
    )

    def log(self, folder, kinds):
        write_log(
            folder,
            [
                event_line(
                    NOW - 3600, f"item-{2 * (n % 20) + kinds[n % len(kinds)]:02}", "purchase"
                )
                for n in range(400)
            ],
        )

    def test_ordinary_traffic_is_quiet(self, watching, tmp_path, reference):
        self.log(tmp_path / "log", [0, 1])
        monitor = watching(self.CONFIG, event_log=tmp_path / "log", reference=lambda: reference)
        assert looks(monitor, 1) == []
        assert monitor.figures["drift/behaviour/topic/times_usual"] < 1.5

    def test_other_traffic_raises_and_says_what_moved(self, watching, tmp_path, reference):
        self.log(tmp_path / "log", [1])
        monitor = watching(self.CONFIG, event_log=tmp_path / "log", reference=lambda: reference)
        (alert,) = looks(monitor, 3)
        assert "lamp" in alert.message and "→" in alert.message and "look at here" in alert.message

    def test_a_new_export_is_taken_with_the_traffic_so_far(self, watching, tmp_path, reference):
        self.log(tmp_path / "log", [1])
        current = [None]
        monitor = watching(self.CONFIG, event_log=tmp_path / "log", reference=lambda: current[0])
        looks(monitor, 1)
        assert "drift/behaviour/events" not in monitor.figures
        current[0] = reference
        monitor.look(NOW + 7200, 7200.0)
        write_log(tmp_path / "log", [event_line(NOW + 7300, event="purchase")], append=True)
        monitor.look(NOW + 15000, 15000.0)
        assert monitor.figures["drift/behaviour/events"] == 1

    def test_an_export_that_cannot_be_read_is_said(self, watching, caplog):
        def broken():
            raise UserError("the reference statistics are damaged")

        looks(watching(self.CONFIG, reference=broken), 2)
        assert caplog.text.count("are damaged") == 1

    def test_the_age_of_the_training_data(self, watching, reference):
        monitor = watching(self.CONFIG, reference=lambda: reference)
        monitor.look(NOW + 40 * DAY, 0.0)
        assert monitor.figures["freshness/data_days"] == pytest.approx(40, abs=0.1)


class TestDelivery:
    DOWN = MonitorConfig(rules=[Rule(name="down", metric="server/up", below=1.0)])

    def test_alerts_go_to_the_sinks_to_tensorboard_and_survive_a_restart(self, watching, pages):
        pages["server"] = Fetched("", "status 500", 0.1)
        first = watching(self.DOWN)
        looks(first, 2)
        (sink,) = first._sinks
        assert [alert.state for alert in sink.alerts] == ["raised"]
        first.close()
        found = accumulate(first.events.folder)
        assert b"down: server/up is 0" in found.Tensors("alerts")[0].tensor_proto.string_val[0]
        assert [value for _, value in scalar_of(found, "alerts/raised")] == [1, 1]
        assert looks(watching(self.DOWN), 2) == []

    def test_a_full_disk_keeps_no_alert_from_its_way(self, watching, pages, monkeypatch, caplog):
        pages["server"] = Fetched("", "status 500", 0.1)
        first = watching(self.DOWN)

        def is_full(_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr("tfrec.files.os.fsync", is_full)
            looks(first, 3)
        (sink,) = first._sinks
        assert [alert.state for alert in sink.alerts] == ["raised"]
        # Said once, however long it lasts.
        assert caplog.text.count("no space left on the disk") == 1
        # Where there is room again, it is kept that the alert was told of.
        looks(first, 1)
        assert looks(watching(self.DOWN), 2) == []

    def test_a_disk_that_fails_is_said_once(self, watching, pages, monkeypatch, caplog):
        pages["server"] = Fetched("", "status 500", 0.1)
        temporary = iter(range(9))

        def fails(**_):
            raise OSError(errno.EIO, os.strerror(errno.EIO), f".alerts.json.{next(temporary)}.part")

        monkeypatch.setattr("tfrec.files.tempfile.mkstemp", fails)
        assert len(looks(watching(self.DOWN), 3)) == 1
        assert caplog.text.count(os.strerror(errno.EIO)) == 1

    def test_a_kill_in_the_delivery_has_the_alert_told_of_again(self, watching, pages):
        pages["server"] = Fetched("", "status 500", 0.1)
        first = watching(self.DOWN)
        first._sinks[0].kills = True
        with pytest.raises(Killed):
            looks(first, 1)
        assert [alert.state for alert in looks(watching(self.DOWN), 2)] == ["raised"]
