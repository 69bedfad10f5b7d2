"""Weights that move into larger tables, and the draw of shoppers to train on."""

import numpy as np
import pytest

from tests.training.planted_shop import prepare_planted
from tfrec.config import RetrievalConfig
from tfrec.models.retrieval import RetrievalModel
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.features import ItemFeatures
from tfrec.towers.spec import DataSpec
from tfrec.updating.growing import grow_weights
from tfrec.updating.sample import TRAIN, TrainingSample, chosen_shoppers, write_sample

CONFIG = RetrievalConfig(
    dimension=4,
    lstm_units=4,
    repeat_bonus=True,
    memory_neighbours=2,
    trend_days=[7],
    cold_start=True,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return prepare_planted(tmp_path_factory.mktemp("planted"), shoppers=40)


def model(num_items, countries):
    random = np.random.default_rng(num_items)
    features = ItemFeatures(
        text=random.normal(size=(num_items + 1, 6)).astype(np.float32),
        categories={},
        vocabularies={},
        price=np.full(num_items + 1, 2.0, np.float32),
        vectors={"image_embedding": random.normal(size=(num_items + 1, 3)).astype(np.float32)},
    )
    spec = DataSpec(
        num_ids=num_items,
        text_dimension=6,
        vector_sizes={"image_embedding": 3},
        use_price=True,
        categories={},
        event_types=["purchase"],
        target_events=["purchase"],
        return_event=None,
        contexts={"country": countries},
    )
    built = RetrievalModel(Catalogue(features), spec, CONFIG)
    built.build_weights()
    for part in built.parts.values():
        for weight in part.weights:
            if weight.dtype.is_floating:
                weight.assign(random.normal(size=weight.shape))
    return built


def test_known_rows_are_copied_and_new_rows_keep_their_start():
    small, large = model(5, ["NL"]), model(8, ["NL", "FR"])
    start = large.item_tower.id_offset.numpy()
    grow_weights(small, large)
    offsets = large.item_tower.id_offset.numpy()
    np.testing.assert_array_equal(offsets[:6], small.item_tower.id_offset.numpy())
    np.testing.assert_array_equal(offsets[6:], start[6:])
    np.testing.assert_array_equal(
        large.item_tower.text_projection.numpy(), small.item_tower.text_projection.numpy()
    )
    for name, part in small.parts.items():
        for old, new in zip(part.weights, large.parts[name].weights, strict=True):
            known = new.numpy()[: old.shape[0]] if old.shape.rank else new.numpy()
            np.testing.assert_array_equal(known, old.numpy())


def test_tables_do_not_shrink():
    with pytest.raises(ValueError, match="at least the rows"):
        grow_weights(model(8, ["NL"]), model(5, ["NL"]))


def test_shoppers_with_news_and_a_share_of_the_others(dataset):
    train = dataset.histories(TRAIN)
    last = np.array([train.timestamp[train.history(i)].max() for i in range(len(train))])
    since = int(np.sort(last)[-10])
    late = train.user[np.argsort(last)[:2]]
    news = np.flatnonzero((last >= since) | np.isin(train.user, late))
    chosen = chosen_shoppers(train, since, late, replay=0.0, seed=1)
    assert chosen.tolist() == news.tolist()
    assert len(news) == 12
    some = chosen_shoppers(train, since, late, replay=0.5, seed=1)
    assert set(news) <= set(some)
    assert len(some) == 12 + round(0.5 * (len(train) - 12))
    assert (np.diff(some) > 0).all()
    other = chosen_shoppers(train, since, late, replay=0.5, seed=2)
    assert other.tolist() != some.tolist()


def test_without_news_somebody_is_trained_on(dataset):
    train = dataset.histories(TRAIN)
    chosen = chosen_shoppers(train, 2**40, np.array([], np.str_), replay=0.0, seed=0)
    assert len(chosen) == 1


def test_a_sample_is_the_data_set_with_other_training_files(dataset, tmp_path):
    write_sample(tmp_path / "sample", dataset, np.array([0, 3, 4]))
    sample = TrainingSample(dataset, tmp_path / "sample")
    users = dataset.histories(TRAIN).user
    assert sample.histories(TRAIN).user.tolist() == users[[0, 3, 4]].tolist()
    assert sample.files("valid") == dataset.files("valid")
