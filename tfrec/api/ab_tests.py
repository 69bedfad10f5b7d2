"""A/B tests of two ways to recommend, simulated on real shoppers, from a notebook."""

from collections.abc import Callable, Sequence

import pandas as pd

from tfrec.api.shoppers import Shopper
from tfrec.errors import UserError
from tfrec.monitoring.experiment.readout import Readout, read_out
from tfrec.monitoring.experiment.shoppers import read_shoppers
from tfrec.monitoring.experiment.simulation import SimulatedShopper, simulated_lines

Arm = Callable[[Shopper], Sequence[str]]
MOST_BEFORE = 50
"""Latest purchases before the test that a shopper is remembered for."""


def simulate_ab_test(
    shoppers: Sequence[Shopper], a: Arm, b: Arm, *, share_of_b: float = 0.5
) -> Readout:
    """Shows one half of the shoppers the lists of A and the other those of B, and reads out.

    A shopper clicks on and buys what he is shown and really went on to take; which half he is in
    is decided by the hash of his id. Neither lists nor purchases are made up, but nobody saw the
    lists: a list that would have changed a shopper's mind does not show. `tfrec ab` reads out a
    test that took place.

    Args:
        shoppers: from `find_shoppers`, of the split `valid` or `test`.
        a: returns the item ids that A shows a shopper, the first place first.
        b: the same for B.
        share_of_b: share of the shoppers who are shown the lists of B; the read-out expects a half.

    Raises:
        UserError: if there is no shopper, or too few to tell the arms apart.
    """
    if not shoppers:
        raise UserError("an A/B test needs shoppers; get some with tfrec.find_shoppers")
    latest = [one.history["timestamp"].max() for one in shoppers if len(one.history)]
    start = max((time.timestamp() for time in latest if not pd.isna(time)), default=0.0) + 1.0
    simulated = [
        SimulatedShopper(
            user=one.user,
            a=a(one),
            b=b(one),
            wanted=frozenset(one.later["item_id"]),
            before=[
                (item, time.timestamp())
                for item, time in zip(
                    one.history["item_id"].tail(MOST_BEFORE),
                    one.history["timestamp"].tail(MOST_BEFORE),
                    strict=True,
                )
                if not pd.isna(time)
            ],
        )
        for one in shoppers
    ]
    lines = simulated_lines(simulated, start, share_of_b)
    return read_out(read_shoppers(lines, a="1", b="2"))
