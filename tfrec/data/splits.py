"""Cuts every shopper's events into train, validation and test periods, without leakage."""

from dataclasses import dataclass

import numpy as np

from tfrec.errors import UserError

SPLITS = ("train", "valid", "test")
TRAIN, VALID, TEST = range(3)
SECOND_MICROSECONDS = 1_000_000
DAY_MICROSECONDS = 86_400 * SECOND_MICROSECONDS


@dataclass(frozen=True)
class Periods:
    """Which period each event is in.

    Attributes:
        period: int8 `[n]`, 0 train, 1 valid, 2 test; never falls inside a shopper's history.
        valid_start: first instant of the validation period (unix microseconds), or None.
        test_start: first instant of the test period, or None.
    """

    period: np.ndarray
    valid_start: int | None = None
    test_start: int | None = None


def temporal(microseconds: np.ndarray, *, valid_days: int, test_days: int) -> Periods:
    """Splits by time: test is the last `test_days`, validation the `valid_days` before it.

    Args:
        microseconds: int64 `[n]` unix time.
        valid_days: length of the validation period.
        test_days: length of the test period.

    Raises:
        UserError: if a period would be empty.
    """
    # Periods begin with a whole second, because records and manifest hold no fractions.
    end = (int(microseconds.max()) // SECOND_MICROSECONDS + 1) * SECOND_MICROSECONDS
    test_start = end - test_days * DAY_MICROSECONDS
    valid_start = test_start - valid_days * DAY_MICROSECONDS
    period = (microseconds >= valid_start).astype(np.int8)
    period += microseconds >= test_start
    counts = np.bincount(period, minlength=3)
    if counts.min() == 0:
        days = (end - int(microseconds.min())) / DAY_MICROSECONDS
        empty = SPLITS[int(np.argmin(counts))]
        raise UserError(
            f"the {empty} period holds no events: the log spans {days:.1f} days, data.valid_days "
            f"is {valid_days} and data.test_days {test_days}; change these, or set data.split to "
            "leave_one_out"
        )
    return Periods(period, valid_start, test_start)


def leave_one_out(user: np.ndarray, is_target: np.ndarray) -> Periods:
    """Splits by order: a shopper's last target event opens test, the one before validation.

    Shoppers with fewer than three target events are all in train.

    Args:
        user: int `[n]`, events of one shopper together, oldest first.
        is_target: bool `[n]`, events of the target types.

    Raises:
        UserError: if no shopper has three target events.
    """
    starts = np.flatnonzero(np.r_[True, user[1:] != user[:-1]])
    lengths = np.diff(np.r_[starts, len(user)])
    targets = np.add.reduceat(is_target.astype(np.int64), starts)
    if not (targets >= 3).any():
        raise UserError(
            "no shopper has three target events, so leave_one_out has nothing to hold out; set "
            "data.split to temporal"
        )
    seen = np.cumsum(is_target)
    before = (seen - is_target)[starts]
    rank = seen - np.repeat(before, lengths)  # target events up to and including this one
    total = np.repeat(targets, lengths)
    period = (rank >= total - 1).astype(np.int8) + (rank >= total)
    return Periods(np.where(total >= 3, period, 0).astype(np.int8))


@dataclass(frozen=True)
class Cuts:
    """Where each shopper's periods begin, as positions in the ordered events.

    Attributes:
        start: int64 `[u]`.
        valid: int64 `[u]`, the first event of validation or later.
        test: int64 `[u]`, the first event of test.
        end: int64 `[u]`.
        in_split: bool `[3, u]`, whether the shopper has a record in the split.
    """

    start: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    end: np.ndarray
    in_split: np.ndarray


def cut(user: np.ndarray, period: np.ndarray, is_target: np.ndarray) -> Cuts:
    """Finds the cuts of every shopper.

    A shopper is in train with any event there, in valid and test with a target event in that
    period.

    Args:
        user: int `[n]` codes, events of one shopper together, oldest first.
        period: int8 `[n]`, not falling inside a shopper.
        is_target: bool `[n]`.
    """
    start = np.flatnonzero(np.r_[True, user[1:] != user[:-1]])
    end = np.r_[start[1:], len(user)]
    valid = start + np.add.reduceat((period == TRAIN).astype(np.int64), start)
    test = valid + np.add.reduceat((period == VALID).astype(np.int64), start)
    in_split = np.stack(
        [
            valid > start,
            np.add.reduceat(((period == VALID) & is_target).astype(np.int64), start) > 0,
            np.add.reduceat(((period == TEST) & is_target).astype(np.int64), start) > 0,
        ]
    )
    return Cuts(start, valid, test, end, in_split)


def unused_events(cuts: Cuts) -> np.ndarray:
    """Returns bool `[n]`: events that no record of any split holds.

    These are the events without a target in their period: returns in the test month of a
    shopper who bought nothing in it, for example.
    """
    unused = np.zeros(int(cuts.end[-1]), dtype=bool)
    no_valid, no_test = ~cuts.in_split[VALID], ~cuts.in_split[TEST]
    for user in np.flatnonzero(no_valid & no_test & (cuts.end > cuts.valid)):
        unused[cuts.valid[user] : cuts.end[user]] = True
    for user in np.flatnonzero(~no_valid & no_test & (cuts.end > cuts.test)):
        unused[cuts.test[user] : cuts.end[user]] = True
    return unused
