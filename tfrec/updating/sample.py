"""What an update trains on: shoppers with news, and others so that nothing is forgotten."""

from pathlib import Path

import numpy as np

from tfrec.data.dataset import PreparedDataset
from tfrec.data.history_files import write_histories
from tfrec.data.records import Histories
from tfrec.files import atomic_folder

TRAIN = "train"


class TrainingSample(PreparedDataset):
    """A data set of which only some shoppers are trained on.

    Args:
        dataset: the whole data set.
        folder: holds the records of these shoppers.
    """

    def __init__(self, dataset: PreparedDataset, folder: Path) -> None:
        super().__init__(dataset.path, dataset.manifest)
        self._folder = folder

    def files(self, split: str) -> list[str]:
        """Returns the sorted TFRecord paths; those of `train` are the sample's."""
        if split != TRAIN:
            return super().files(split)
        return [str(path) for path in sorted((self._folder / TRAIN).iterdir())]


def chosen_shoppers(
    histories: Histories, since: int, late: np.ndarray, replay: float, seed: int
) -> np.ndarray:
    """Returns which shoppers to train on, as positions in ascending order.

    Args:
        histories: the training split.
        since: unix seconds; whoever has an event from then on has news.
        late: hashes of shoppers whose late events are news, too.
        replay: share of the other shoppers that is drawn.
        seed: of the draw.
    """
    owner = histories.owner
    news = np.isin(histories.user, late)
    news[owner[histories.timestamp >= since]] = True
    others = np.flatnonzero(~news)
    count = round(replay * len(others))
    if not news.any():
        count = max(count, 1)
    drawn = np.random.default_rng(seed).permutation(others)[:count]
    return np.sort(np.concatenate([np.flatnonzero(news), drawn]))


def write_sample(folder: Path, dataset: PreparedDataset, shoppers: np.ndarray) -> None:
    """Writes the records of some shoppers of the training split, whole or not at all."""
    with atomic_folder(folder) as temporary:
        write_histories(
            temporary / TRAIN,
            dataset.histories(TRAIN).select(shoppers),
            shards=dataset.manifest.config.shards,
            targets=False,
        )
