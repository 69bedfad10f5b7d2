"""The demo runs for real on a small part of its shop: killed, continued, reused, changed."""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading

import pandas as pd
import psutil
import pytest
import yaml

from pipelines.demo_answers import SEARCHES, SHOWN
from tests.conftest import ROOT
from tests.tiny_bert import write_tiny_bert
from tfrec.data.sample import sample_path

SHOPPERS = 50
ITEMS = 200
STEPS = 9
MODELS = ("retrieval", "retrieval+ranking", "popularity", "item_knn", "text_knn")

RUN = """
import sys
from pathlib import Path
import click
from pipelines.demo import Demo
from pipelines.running import run
from tfrec.config import load_config

@click.command()
def demo():
    Demo(Path("work"), load_config("config.yaml"), Path("shop")).run()

sys.argv = ["demo"]
run(demo)
"""


class Shop:
    """A folder with a small shop, a configuration that trains in seconds, and a tiny BERT."""

    def __init__(self, folder):
        self.folder = folder
        self.work = folder / "work"
        (folder / "shop").mkdir()
        events = pd.read_parquet(sample_path() / "events.parquet")
        items = pd.read_parquet(sample_path() / "items.parquet")
        # Those with most lines come back in every period; some have few orders, one buys clocks.
        by_user = events[events["event"] == "purchase"].groupby("user_id")
        few = by_user["order_id"].nunique() == 3
        back = by_user["timestamp"].max() >= "2011-11-10"
        shoppers = [*by_user.size().nlargest(SHOPPERS).index, *few[few & back].index[:10], "15380"]
        events = events[events["user_id"].isin(shoppers)]
        own = events.loc[events["user_id"] == "15380", "item_id"].unique()
        sold = [*events["item_id"].value_counts().index[:ITEMS], *own]
        events = events[events["item_id"].isin(sold)]
        events.to_parquet(folder / "shop" / "events.parquet")
        items[items["item_id"].isin(sold)].to_parquet(folder / "shop" / "items.parquet")
        write_tiny_bert(folder / "bert")
        self.config = {
            "data": {"context_columns": ["country"], "shards": 1},
            "text": {"bert": "bert", "max_tokens": 16},
            "retrieval": {
                "dimension": 8,
                "lstm_units": 8,
                "max_history": 6,
                "training": {"epochs": 2, "batch_positions": 1024},
            },
            "ranking": {
                "candidates": 20,
                "popularity_negatives": 5,
                "hidden_units": [8],
                "max_history": 50,
                "training": {"epochs": 1},
            },
            "evaluation": {"cutoffs": [10, 20], "repeats": "count", "bootstrap_samples": 10},
            "export": {"k": 20, "warmup_records": 1},
        }

    def start(self):
        (self.folder / "config.yaml").write_text(yaml.safe_dump(self.config))
        return subprocess.Popen(
            [sys.executable, "-c", RUN],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, code=0):
        """Runs the demo to its end and returns what it prints."""
        with self.start() as process:
            output = process.communicate(timeout=600)[0]
        assert process.returncode == code, output
        return output

    def run_until(self, sign):
        """Kills the demo with SIGKILL once it has printed `sign`; returns what it printed."""
        seen = ""
        with self.start() as process:
            watchdog = threading.Timer(300, process.kill)
            watchdog.start()
            for line in process.stdout:
                seen += line
                if sign in line:
                    break
            below = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGKILL)
            watchdog.cancel()
        assert sign in seen, seen
        # What it had started must not go on working in the folder.
        _, alive = psutil.wait_procs(below, timeout=10)
        assert not alive
        return seen


def ran(output):
    """Returns the names of the steps that were run, not reused."""
    return re.findall(r"^\[\d/9\] (.+): done in", output, re.MULTILINE)


def reused(output):
    return re.findall(r"^\[\d/9\] (.+): reused", output, re.MULTILINE)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A demo that was killed in the middle of its first training."""
    shop = Shop(tmp_path_factory.mktemp("demo"))
    shop.killed = shop.run_until("Retrieval epoch 2/2")
    return shop


@pytest.fixture(scope="module")
def demo(killed):
    """The same, continued to its end."""
    killed.continued = killed.run()
    return killed


class TestContinued:
    def test_every_step_was_done_once_and_training_went_on(self, demo):
        assert "[3/9] train retrieval …" in demo.killed
        assert reused(demo.continued) == ["prepare the data", "item text vectors"]
        assert "[3/9] train retrieval (continued after a stop) …" in demo.continued
        assert len(ran(demo.continued)) == STEPS - 2
        # The first epoch is not trained again.
        assert "Retrieval epoch 1: ndcg" not in demo.continued
        assert "Retrieval epoch 2: ndcg" in demo.continued

    def test_its_folder_holds_everything(self, demo):
        for name in ("retrieval", "ranking", "recommender"):
            (version,) = (demo.work / "models" / name).iterdir()
            assert (version / "saved_model.pb").is_file()
        for name in ("retrieval", "ranking"):
            record = json.loads((demo.work / "run" / name / "run.json").read_text())
            assert record["status"] == "finished"
            assert list((demo.work / "run" / name / "logs").iterdir())

    def test_figures_are_written_for_both_ways_of_measuring(self, demo):
        for name, repeats in (("repurchases-counted", "count"), ("new-items-only", "exclude")):
            report = json.loads((demo.work / "evaluation" / f"{name}.json").read_text())
            assert set(report) == set(MODELS)
            for figures in report.values():
                assert (figures["split"], figures["repeats"]) == ("test", repeats)
                assert 0 <= figures["recall@20_low"] <= figures["recall@20_high"] <= 1
            tables = (demo.work / "evaluation" / f"{name}.txt").read_text()
            assert "ndcg@20 by slice" in tables and "text_knn" in tables
            shown = f"{report['item_knn']['ndcg@20']:.4f} ±"
            assert shown in demo.continued

    def test_nothing_but_its_own_words_is_printed(self, demo):
        for noise in ("Warning", "WARNING", "I0000", "E0000", "W0000", "Traceback", "cuda", "absl"):
            assert noise not in demo.killed + demo.continued


class TestAnswers:
    def test_three_customers_a_newcomer_two_searches_and_similar_items(self, demo):
        answers = json.loads((demo.work / "answers.json").read_text())["answers"]
        kinds = [answer["heading"].split(" (")[0] for answer in answers]
        assert kinds == [
            "A big regular buyer",
            "A small gift shop with few orders",
            "A customer of a narrow taste",
            "A brand-new shopper after two clicks",
            *(f"Search: “{query}”" for query in SEARCHES),
            "Similar to " + kinds[-1].removeprefix("Similar to "),
        ]
        for answer in answers:
            assert len(answer["items"]) == SHOWN
            assert all(item["title"] and item["price"] > 0 for item in answer["items"])
            scores = [item["score"] for item in answer["items"]]
            assert scores == sorted(scores, reverse=True)
        for customer in answers[1:3]:
            assert not any(item["had_before"] for item in customer["items"])
        for shopper in answers[:4]:
            assert all(item["reason"] for item in shopper["items"])

    def test_what_customers_bought_later_is_marked(self, demo):
        answers = json.loads((demo.work / "answers.json").read_text())
        events = pd.read_parquet(demo.folder / "shop" / "events.parquet")
        often = events[(events["event"] == "purchase") & (events["timestamp"] < answers["moment"])]
        regular = often.groupby("user_id")["order_id"].nunique().idxmax()
        own = events[(events["user_id"] == regular) & (events["event"] == "purchase")]
        later = own.loc[own["timestamp"] >= pd.Timestamp(answers["moment"]), "item_id"]
        first = answers["answers"][0]
        # The period begins within that day, so what was bought on it may be on either side.
        edge = own.loc[
            own["timestamp"].dt.normalize() == pd.Timestamp(answers["moment"]), "item_id"
        ]
        for item in first["items"]:
            if item["item_id"] not in set(edge):
                assert item["ordered_then"] == (item["item_id"] in set(later))

    def test_they_are_shown_with_names_and_prices(self, demo):
        answers = json.loads((demo.work / "answers.json").read_text())["answers"]
        for answer in answers:
            assert answer["heading"] in demo.continued
            for item in answer["items"]:
                line = rf"{re.escape(item['item_id'])} +{re.escape(item['title'].strip())} .*£"
                assert re.search(line, demo.continued), line


class TestEnd:
    def test_costs_of_every_step_are_shown(self, demo):
        table = demo.continued.split("Wall time and peak memory")[1]
        rows = re.findall(r"│ (.+?) +│ +([\d.]+ s|\d+ min \d+ s) │ +([\d.]+) (M|G)iB │", table)
        assert len(rows) == STEPS + 1
        assert "continued" in table.split("train retrieval")[1].split("\n")[0]
        # A step has a process of its own: none inherits what TensorFlow took before it.
        peaks = {name: float(size) * (1 if unit == "M" else 1024) for name, _, size, unit in rows}
        assert peaks["prepare the data"] < peaks["train retrieval"]

    def test_the_commands_it_names_exist(self, demo):
        end = demo.continued.split("What to do next")[1]
        commands = re.findall(r"^    (\S+)/(tfrec|tensorboard) (.+)$", end, re.MULTILINE)
        assert {name for _, name, _ in commands} == {"tfrec", "tensorboard"}
        for folder, name, _ in commands:
            assert os.access(f"{folder}/{name}", os.X_OK)
        words = [arguments.split(" --")[0] for _, name, arguments in commands if name == "tfrec"]
        asked = ["recommend", "search", "similar", "cart", "home"]
        assert words == ["serve", *asked, "data prepare"]


def processor_seconds():
    """Returns what processes that this one has waited for took of the processors."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class TestAgain:
    def test_everything_is_reused_and_shown_again(self, demo):
        before = processor_seconds()
        output = demo.run()
        seconds = processor_seconds() - before
        assert (ran(output), len(reused(output))) == ([], STEPS)
        # Importing TensorFlow alone would take more than twice as long.
        assert seconds < 2
        same = "A big regular buyer"
        assert output.split(same)[1].split("Wall time")[0] in demo.continued

    def test_two_at_once_are_refused(self, demo):
        fcntl = pytest.importorskip("fcntl")
        with (demo.work / ".steps" / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            output = demo.run(code=2)
        assert output == (
            "error: another run is working in work; wait for it to end, or name another --workdir\n"
        )


@pytest.mark.slow
class TestChanges:
    @contextlib.contextmanager
    def changed(self, shop, section, **values):
        before = shop.config[section]
        shop.config[section] = {**before, **values}
        try:
            yield
        finally:
            shop.config[section] = before

    @pytest.mark.parametrize(
        ("section", "values", "steps"),
        [
            (
                "evaluation",
                {"cutoffs": [5, 20]},
                ["evaluate, re-purchases counted", "evaluate, new items only"],
            ),
            ("export", {"k": 30}, ["export", "serve and ask"]),
            (
                "ranking",
                {"candidates": 25},
                [
                    "train ranking",
                    "evaluate, re-purchases counted",
                    "evaluate, new items only",
                    "export",
                    "serve and ask",
                ],
            ),
        ],
    )
    def test_only_what_depends_on_it_runs(self, demo, section, values, steps):
        demo.run()
        with self.changed(demo, section, **values):
            assert ran(demo.run()) == steps
            assert ran(demo.run()) == []

    def test_changed_cutoffs_reach_the_figures(self, demo):
        with self.changed(demo, "evaluation", cutoffs=[7]):
            output = demo.run()
        assert "recall@7" in output.split("Quality on the test period")[1]


@pytest.mark.slow
def test_killed_in_every_step(tmp_path):
    shop = Shop(tmp_path)
    signs = [
        "[1/9] prepare",
        "reading items",
        "[2/9] item",
        "[3/9] train",
        "Retrieval epoch 2/2",
        "Retrieval: 2 epochs",
        "[4/9] train",
        "Candidate lists",
        "Ranking: 1 epochs",
        "[5/9] evaluate",
        "evaluate popularity",
        "[6/9] evaluate",
        "[7/9] fit",
        "The surfaces are in",
        "[8/9] export",
        "Exporting",
        "[9/9] serve",
    ]
    for sign in signs:
        shop.run_until(sign)
    output = shop.run()
    assert ran(output) == ["serve and ask"]
    for name in ("retrieval", "ranking", "recommender"):
        assert list((shop.work / "models" / name).glob("*/saved_model.pb"))
    assert ran(shop.run()) == []


class TestMistakes:
    @pytest.fixture
    def tfrec_demo(self, run_python):
        return lambda *arguments: run_python("-m", "pipelines.cli", "demo", *arguments)

    def test_a_folder_that_is_a_file(self, tfrec_demo, tmp_path):
        (tmp_path / "taken").touch()
        done = tfrec_demo("--workdir", "taken")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "error: cannot work in taken (Not a directory); choose another --workdir\n"
        )

    @pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs a folder nobody may write to")
    def test_a_folder_that_may_not_be_written_to(self, tfrec_demo):
        done = tfrec_demo("--workdir", "/proc/demo")
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(
            r"error: cannot work in /proc/demo \(.+\); choose another --workdir\n", done.stderr
        )

    def test_a_slip_in_the_configuration_before_anything_is_made(self, tfrec_demo, tmp_path):
        (tmp_path / "config.yaml").write_text("retrieval: {dimention: 8}")
        done = tfrec_demo("--config", "config.yaml")
        assert (done.returncode, done.stdout) == (2, "")
        assert "did you mean `retrieval.dimension`?" in done.stderr
        assert not (tmp_path / "demo").exists()

    def test_a_missing_bert_before_anything_is_made(self, tfrec_demo, tmp_path):
        (tmp_path / "config.yaml").write_text("text: {bert: nowhere}")
        done = tfrec_demo("--config", "config.yaml")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ") and "nowhere" in done.stderr
        assert not (tmp_path / "demo").exists()
