"""Views that one of TensorBoard's plugins shows: projector, curves, pictures, settings, layout."""

import io
import re

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from google.protobuf import text_format
from matplotlib.image import imread
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from tests.monitoring.training.conftest import step, validation
from tests.monitoring.training.reading import scalars, summaries
from tfrec.evaluation.calibration import calibration_curve
from tfrec.monitoring.training import projector as projector_module
from tfrec.monitoring.training.calibration_plot import PIXELS, plot_calibration
from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.graph import GraphView, ProfileView
from tfrec.monitoring.training.hparams import HParamsView, table_value
from tfrec.monitoring.training.layout import CHARTS, LayoutView, layout
from tfrec.monitoring.training.monitor import TimeBudget
from tfrec.monitoring.training.observer import TrainingStart
from tfrec.monitoring.training.projector import ProjectorView, item_metadata
from tfrec.monitoring.training.tasks import TaskView

ITEMS = pd.DataFrame(
    {
        "item_id": ["a", "b", "c"],
        "title": ["Red\tlamp\n", None, "Cup"],
        "brand__values": [np.array(["X"]), np.array([]), np.array(["X", "Y Z"])],
        "price": [1.5, np.nan, 12.0],
        "train_events": [3, 9, 0],
    }
)


class TestProjector:
    def test_metadata(self):
        table = item_metadata(ITEMS, ["brand"])
        assert table.to_dict("list") == {
            "title": ["Red lamp", "b", "Cup"],
            "item": ["a", "b", "c"],
            "brand": ["X", "", "X, Y Z"],
            "price": ["1.50", "nan", "12.00"],
            "bought in training": [3, 9, 0],
            "popularity tenth": [4, 1, 7],
        }
        assert "price" not in item_metadata(ITEMS.assign(price=np.nan), [])

    def test_files(self, tmp_path, monkeypatch):
        monkeypatch.setattr(projector_module, "MOST_ITEMS", 2)
        vectors = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        view = ProjectorView(
            tmp_path / "logs", lambda: vectors, item_metadata(ITEMS, ["brand"]), TimeBudget(0.0)
        )
        view.validated(validation(best=False))
        assert not (tmp_path / "logs").exists()
        view.validated(validation())
        config = text_format.Parse(
            (tmp_path / "logs" / "projector_config.pbtxt").read_text(), ProjectorConfig()
        )
        (embedding,) = config.embeddings
        written = np.loadtxt(tmp_path / "logs" / embedding.tensor_path)
        np.testing.assert_allclose(written, vectors[:2])
        assert list(embedding.tensor_shape) == [2, 2]
        lines = (tmp_path / "logs" / embedding.metadata_path).read_text().splitlines()
        assert len(lines) == 3, "a line of names, and the two items most bought"
        assert lines[1].split("\t") == ["Red lamp", "a", "X", "1.50", "3", "4"]
        # The best weights come back at the end, whatever time there is left.
        vectors = vectors[::-1]
        view.training_ended()
        np.testing.assert_allclose(np.loadtxt(tmp_path / "logs" / embedding.tensor_path)[0], [0, 1])


class TestTasks:
    @pytest.fixture
    def found(self, log):
        labels = np.array([0, 0, 1, 0, 1, 1], np.float32)
        chances = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
        outcomes = {"purchase": (labels, chances), "return": (np.zeros(4), np.full(4, 0.5))}
        view = TaskView(log, lambda: outcomes, TimeBudget(0.0))
        view.validated(validation(10))
        outcomes = {"purchase": (labels, chances + 0.15)}
        view.finished({})
        log.close()
        return scalars(log.folder) | {"all": summaries(log.folder)}

    def test_figures(self, found):
        assert found["task_auc/purchase"] == {10: pytest.approx(8 / 9)}
        ratio = found["task_calibration/predicted_over_observed_purchase"][10]
        assert ratio == pytest.approx(2.1 / 3)
        calibrated = found["task_calibration/predicted_over_observed_purchase_calibrated"][10]
        assert calibrated == pytest.approx(1.0)

    def test_precision_and_recall(self, found):
        """Thresholds are ranks; at the highest of them the best half of the examples is left."""
        curve = found["all"]["precision_recall/purchase/pr_curves"][10]
        precision, recall = curve[-2:]
        assert (precision[0], recall[0]) == (pytest.approx(0.5), pytest.approx(1.0))
        half = np.argmin(np.abs(np.linspace(0, 1, curve.shape[1]) - 0.5))
        assert precision[half] == pytest.approx(2 / 3, abs=0.01)
        assert recall[half] == pytest.approx(2 / 3, abs=0.01)

    def test_picture_of_the_calibrated_model(self, found):
        width, height, png = found["all"]["calibration/purchase_calibrated"][10]
        assert (int(width), int(height)) == PIXELS
        assert imread(io.BytesIO(png)).shape[:2] == PIXELS[::-1]

    def test_an_event_with_one_class_has_no_figures(self, found):
        assert not [tag for tag in found["all"] if "return" in tag]


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_plots_of_common_and_rare_events(scale):
    random = np.random.default_rng(0)
    chances = random.random(500) * scale
    labels = (random.random(500) < chances).astype(float)
    pixels = imread(io.BytesIO(plot_calibration("x", calibration_curve(labels, chances), chances)))
    assert pixels.shape[:2] == PIXELS[::-1]
    assert pixels.std() > 0.05


class TestSettings:
    def read(self, folder):
        found = {}
        for path in folder.glob("events*"):
            for event in tf.compat.v1.train.summary_iterator(str(path)):
                for value in event.summary.value:
                    found[value.tag] = value.metadata.plugin_data.content
        return found

    def test_settings_scores_and_end(self, tmp_path, start):
        settings = {"dropout": 0.5, "on": True, "text": None, "units": [8, 4]}
        view = HParamsView(EventLog(tmp_path), "shop/run", settings)
        view.training_started(start)
        view.validated(validation(10, **{"ndcg@10": 0.5, "ndcg@10/count": 0.4}))
        view.validated(validation(20, best=False, **{"ndcg@10": 0.3}))
        view.finished({"auc/purchase": 0.75})
        assert scalars(tmp_path) == {
            "best_ndcg@10": {10: 0.5},
            "best_ndcg@10_count": {10: pytest.approx(0.4)},
            "final_auc_purchase": {20: 0.75},
        }
        found = self.read(tmp_path)
        info = hparams_metadata.parse_session_start_info_plugin_data(
            found[hparams_metadata.SESSION_START_INFO_TAG]
        )
        assert info.group_name == "shop/run"
        assert info.hparams["dropout"].number_value == 0.5
        assert info.hparams["on"].bool_value is True
        assert info.hparams["text"].string_value == "none"
        assert info.hparams["units"].string_value == "[8, 4]"
        end = hparams_metadata.parse_session_end_info_plugin_data(
            found[hparams_metadata.SESSION_END_INFO_TAG]
        )
        assert end.status == 1

    def test_a_failed_run_says_so(self, tmp_path, start):
        view = HParamsView(EventLog(tmp_path), "shop/run", {})
        view.training_started(start)
        view.failed()
        view.failed()
        content = self.read(tmp_path)[hparams_metadata.SESSION_END_INFO_TAG]
        assert hparams_metadata.parse_session_end_info_plugin_data(content).status == 2

    def test_values(self):
        assert [table_value(value) for value in (1, 2.5, "a", True)] == [1, 2.5, "a", True]


def test_layout(log, start):
    LayoutView(log).training_started(start)
    log.close()
    (value,) = summaries(log.folder)["custom_scalars__config__"].values()
    read = layout_pb2.Layout.FromString(value.item())
    assert read == layout()
    assert read.category[0].title == "1 Is the run healthy?"
    for charts in CHARTS.values():
        for tags in charts.values():
            for tag in tags:
                re.compile(tag)


def test_graph_is_written_once(log):
    @tf.function
    def function(x):
        return tf.square(x, name="a_square")

    graph = function.get_concrete_function(tf.constant(1.0)).graph
    asked = []

    def graph_for(batch):
        asked.append(batch)
        return graph

    view = GraphView(log)
    view.training_started(TrainingStart(0, lambda: 0.1, {}, graph_for))
    view.step_taken(step(1))
    view.step_taken(step(2))
    resumed = GraphView(log)
    resumed.training_started(TrainingStart(2, lambda: 0.1, {}, graph_for))
    resumed.step_taken(step(3))
    log.close()
    assert len(asked) == 1
    (path,) = log.folder.glob("events*")
    graphs = [
        tf.compat.v1.GraphDef.FromString(event.graph_def)
        for event in tf.compat.v1.train.summary_iterator(str(path))
        if event.HasField("graph_def")
    ]
    assert [[node.name for node in each.node if node.name == "a_square"] for each in graphs] == [
        ["a_square"]
    ]


@pytest.mark.parametrize("last", [4, 2])
def test_profile(tmp_path, last):
    """Steps 2 and 3 are traced; of a shorter training, what there is."""
    view = ProfileView(tmp_path, first=2, steps=2)
    for number in range(1, last + 1):
        view.step_taken(step(number))
    view.training_ended()
    view.failed()
    assert len(list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))) == 1


def test_no_profile_of_a_training_that_ends_before(tmp_path):
    view = ProfileView(tmp_path, first=2, steps=2)
    view.step_taken(step(1))
    view.training_ended()
    assert list(tmp_path.iterdir()) == []
