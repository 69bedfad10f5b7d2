"""Orders of a log, and baskets made of them by hiding a line."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tfrec.data.records import Histories


@dataclass(frozen=True)
class Orders:
    """What was chosen together: the distinct items that a shopper chose at one moment.

    A log carries no order numbers, but the lines of an order share their time. A log without
    times has no orders.

    Attributes:
        items: sparse float32 `[num_orders, num_items + 1]`, 1 for every line, indices sorted.
        timestamp: int64 `[num_orders]`, unix seconds.
        shopper: int64 `[num_orders]`, position of the shopper in the histories.
    """

    items: sparse.csr_matrix
    timestamp: np.ndarray
    shopper: np.ndarray

    def __len__(self) -> int:
        return self.items.shape[0]

    @property
    def sizes(self) -> np.ndarray:
        """int64 `[num_orders]`, lines of each order."""
        return np.diff(self.items.indptr).astype(np.int64)

    @classmethod
    def of_histories(cls, histories: Histories, events: list[int], num_items: int) -> "Orders":
        """Returns the orders in the histories, by shopper and time.

        Args:
            histories: the shoppers.
            events: 1-based indices of the event types that make an order.
            num_items: items in the catalogue.
        """
        owner = histories.owner
        return cls._of(
            owner, histories.item, histories.event, histories.timestamp, events, num_items
        )

    @classmethod
    def of_targets(cls, histories: Histories, events: list[int], num_items: int) -> "Orders":
        """Returns the orders in the shoppers' targets; arguments as in `of_histories`."""
        owner = histories.target_owner
        return cls._of(
            owner,
            histories.target_item,
            histories.target_event,
            histories.target_timestamp,
            events,
            num_items,
        )

    @classmethod
    def _of(
        cls,
        owner: np.ndarray,
        item: np.ndarray,
        event: np.ndarray,
        timestamp: np.ndarray,
        events: list[int],
        num_items: int,
    ) -> "Orders":
        counted = np.isin(event, events) & (timestamp != 0)
        moments = np.stack([owner[counted], timestamp[counted]], axis=1)
        unique, order = np.unique(moments, axis=0, return_inverse=True)
        lines = sparse.csr_matrix(
            (np.ones(len(moments), np.float32), (order.ravel(), item[counted])),
            shape=(len(unique), num_items + 1),
        )
        lines.sum_duplicates()
        lines.data[:] = 1.0
        return cls(lines, unique[:, 1].astype(np.int64), unique[:, 0].astype(np.int64))


@dataclass(frozen=True)
class Baskets:
    """Orders with one line hidden, which is to be found again.

    Attributes:
        items: sparse float32 `[num_baskets, num_items + 1]`, the visible lines.
        hidden: int64 `[num_baskets]`, the hidden item.
        order: int64 `[num_baskets]`, position of the order.
    """

    items: sparse.csr_matrix
    hidden: np.ndarray
    order: np.ndarray

    def __len__(self) -> int:
        return len(self.hidden)

    @classmethod
    def of(cls, orders: Orders, *, lines: int = 1, seed: int) -> "Baskets":
        """Hides lines drawn at random, each in a basket of its own.

        Args:
            orders: the orders; those with a single line make no basket.
            lines: how many lines of an order are hidden, one at a time.
            seed: seed of the draw.
        """
        random = np.random.default_rng(seed)
        visible, hidden, source = [], [], []
        for order in np.flatnonzero(orders.sizes > 1):
            place = slice(orders.items.indptr[order], orders.items.indptr[order + 1])
            items = orders.items.indices[place]
            for line in random.permutation(len(items))[:lines]:
                visible.append(np.delete(items, line))
                hidden.append(items[line])
                source.append(order)
        offsets = np.concatenate([[0], np.cumsum([len(items) for items in visible])]).astype(int)
        flat = np.concatenate([np.zeros(0, np.int32), *visible])
        return cls(
            sparse.csr_matrix(
                (np.ones(len(flat), np.float32), flat, offsets),
                shape=(len(visible), orders.items.shape[1]),
            ),
            np.array(hidden, np.int64),
            np.array(source, np.int64),
        )

    def select(self, positions: np.ndarray) -> "Baskets":
        """Returns the baskets at `positions`."""
        return Baskets(self.items[positions], self.hidden[positions], self.order[positions])
