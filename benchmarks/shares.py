"""Data sets of which only a share of the shoppers is known."""

from pathlib import Path

import numpy as np

from tfrec.data.dataset import ITEMS, VOCABULARIES, PreparedDataset
from tfrec.data.history_files import write_histories
from tfrec.data.manifest import describe_files
from tfrec.files import atomic_folder


def drawn_shoppers(count: int, share: float, seed: int) -> np.ndarray:
    """Returns positions, ascending, of a share of `count` shoppers; a larger share holds them all.

    Args:
        count: shoppers there are.
        share: in (0, 1].
        seed: of the draw.
    """
    most = max(1, round(share * count))
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def share_of(dataset: PreparedDataset, folder: Path, share: float, seed: int) -> PreparedDataset:
    """Writes a data set with the training and validation events of a share of the shoppers.

    The catalogue and the test split stay whole: the same shoppers are asked for, however few are
    trained on, and every item may be recommended. A folder that is there already is opened.

    Args:
        dataset: the whole data set, split by `leave_one_out`, so that its splits hold the same
            shoppers in the same order.
        folder: of the new data set.
        share: in (0, 1].
        seed: of the draw of shoppers.
    """
    if folder.is_dir():
        return PreparedDataset.open(folder)
    manifest, shards = dataset.manifest, dataset.manifest.config.shards
    train = dataset.histories("train")
    shoppers = drawn_shoppers(len(train), share, seed)
    parts = {"train": train.select(shoppers)}
    valid = dataset.histories("valid")
    parts["valid"] = valid.select(np.flatnonzero(np.isin(valid.user, parts["train"].user)))
    parts["test"] = dataset.histories("test")
    wanted = np.isin(parts["train"].event, dataset.target_event_indices)
    counts = np.bincount(parts["train"].item[wanted], minlength=dataset.num_items + 1)[1:]
    items = dataset.items.copy()
    items["train_events"] = counts
    items.loc[counts == 0, "first_seen_train"] = 0
    with atomic_folder(folder) as temporary:
        summaries = {}
        for split, histories in parts.items():
            paths = write_histories(
                temporary / split, histories, shards=shards, targets=split != "train"
            )
            events = histories.item if split == "train" else histories.target_item
            summaries[split] = manifest.splits[split].model_copy(
                update={
                    "shoppers": len(histories),
                    "events": len(events),
                    "target_events": int(wanted.sum()) if split == "train" else len(events),
                    "shards": len(paths),
                }
            )
        items.to_parquet(temporary / ITEMS, index=False)
        (temporary / VOCABULARIES).write_bytes((dataset.path / VOCABULARIES).read_bytes())
        note = f"a share of {share:g} of the shoppers in train and valid"
        manifest.model_copy(
            update={
                "splits": summaries,
                "notes": [*manifest.notes, note],
                "files": describe_files(temporary),
            }
        ).write(temporary)
    return PreparedDataset.open(folder)
