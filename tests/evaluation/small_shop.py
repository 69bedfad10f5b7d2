"""A shop that fits in the head: histories and a data set made from Python lists."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tfrec.data.records import Histories

PURCHASE, RETURN = 1, 2


def make_histories(pasts, targets=None, users=None):
    """Histories of item indices; an entry is an item, or a pair (item, event)."""
    targets = [[] for _ in pasts] if targets is None else targets

    def flat(lists):
        pairs = [e if isinstance(e, tuple) else (e, PURCHASE) for part in lists for e in part]
        offsets = np.cumsum([0, *map(len, lists)])
        return (
            offsets.astype(np.int64),
            np.array([p[0] for p in pairs], dtype=np.int32),
            np.array([p[1] for p in pairs], dtype=np.int32),
        )

    offsets, item, event = flat(pasts)
    target_offsets, target_item, target_event = flat(targets)
    return Histories(
        user=np.array(users or [f"u{i}" for i in range(len(pasts))]),
        offsets=offsets,
        item=item,
        event=event,
        timestamp=np.zeros(len(item), dtype=np.int64),
        value=np.ones(len(item), dtype=np.float32),
        context={},
        target_offsets=target_offsets,
        target_item=target_item,
        target_event=target_event,
        target_timestamp=np.zeros(len(target_item), dtype=np.int64),
    )


@dataclass
class SmallShop:
    """What the evaluation uses of a prepared data set."""

    num_items: int
    splits: dict[str, Histories]
    event_types: list[str] = field(default_factory=lambda: ["purchase", "return"])
    target_event_indices: list[int] = field(default_factory=lambda: [PURCHASE])

    def histories(self, split):
        return self.splits[split]

    def log_before(self, split):
        train = self.splits["train"]
        return train if split == "valid" else train.followed_by_targets(self.splits["valid"])

    @property
    def items(self):
        train = self.splits["train"]
        bought = train.item[np.isin(train.event, self.target_event_indices)]
        events = np.bincount(bought, minlength=self.num_items + 1)[1:]
        return pd.DataFrame({"train_events": events})


def make_shop(num_items, train, pasts, targets, users=None, split="test"):
    return SmallShop(
        num_items,
        {"train": make_histories(train), split: make_histories(pasts, targets, users)},
    )


class FixedScorer:
    """Gives every shopper the same scores, or each shopper the row of his name."""

    def __init__(self, scores, name="fixed"):
        self.name = name
        self.scores = np.asarray(scores, dtype=np.float32)

    def score(self, histories):
        if self.scores.ndim == 1:
            return np.tile(self.scores, (len(histories), 1))
        return self.scores[[int(user[1:]) for user in histories.user]]
