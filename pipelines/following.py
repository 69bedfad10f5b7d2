"""What `tfrec update --follow` does: joins a source, the updates and the shoppers' histories."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.options import path_option, together
from serving.history import Event, HistoryError, HistorySetupError, UserHashes, open_history
from serving.history.store import DEFAULT_KEEP
from tfrec.config import ExperimentConfig
from tfrec.errors import UserError
from tfrec.progress import progress, write_line

if TYPE_CHECKING:
    from tfrec.updating.history_feed import HistoryFeed, KeptEvent
    from tfrec.updating.sources.source import Origin, Source
    from tfrec.updating.state import UpdateState
    from tfrec.updating.update import Updated

AHEAD_SECONDS = 300.0
"""Events further ahead are in no history: they would stay the newest one for too long."""
Keep = Callable[[Sequence["KeptEvent"]], int]
following_options = together(
    click.option(
        "--batch-events",
        type=click.IntRange(min=1),
        default=20_000,
        show_default=True,
        metavar="N",
        help="--follow: update after so many events, …",
    ),
    click.option(
        "--batch-seconds",
        type=click.FloatRange(min=0),
        default=900.0,
        show_default=True,
        metavar="S",
        help="--follow: … or once the oldest has waited so long.",
    ),
    path_option(
        "--kafka-settings",
        metavar="FILE",
        help="--follow kafka://…: settings of librdkafka (TLS, passwords), name=value a line.",
    ),
    click.option("--once", is_flag=True, help="--follow: take in what is there, and end."),
    click.option(
        "--from-start",
        is_flag=True,
        help="--follow: begin with the oldest event there; known ones are left out.",
    ),
    click.option(
        "--history",
        metavar="URL",
        help="--follow: hand events to this history store of the gateway at once.",
    ),
    path_option(
        "--user-salt-file",
        metavar="FILE",
        help="--history: the salt of its users' hashes, if the gateway is given one.",
    ),
    click.option(
        "--history-events",
        type=click.IntRange(min=1),
        default=DEFAULT_KEEP,
        show_default=True,
        metavar="N",
        help="--history: events kept a shopper; as the gateway is told.",
    ),
)


def follow(
    source: str,
    models: Path,
    state: Path,
    *,
    items: str | None,
    run: Path | None,
    data: Path | None,
    config: ExperimentConfig | None,
    show: Callable[["Updated"], None],
    batch_events: int,
    batch_seconds: float,
    kafka_settings: Path | None,
    once: bool,
    from_start: bool,
    history: str | None,
    user_salt_file: Path | None,
    history_events: int,
) -> None:
    """Takes in events as they arrive, until SIGINT or SIGTERM.

    Raises:
        UserError: if source, models, state or history store cannot be used.
    """
    from tfrec.updating.following import Follower, Limits, Stop, Stopped
    from tfrec.updating.sources import open_source
    from tfrec.updating.state import UpdateState
    from tfrec.updating.update import Updated, get_ready, update

    stop = Stop()
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_source(source, kafka_settings))
        keep = keeper(history, user_salt_file, history_events) if history else None
        stack.enter_context(_signals_to(stop))
        with contextlib.suppress(Stopped), stop.breaking_off():
            broken = get_ready(models, state, run=run, data=data, config=config)
            if broken is not None:
                write_line("An update that was stopped was finished first.")
                show(Updated(broken, repeated=False))
        if stop.asked:
            return
        check = _nothing
        if keep is not None:
            feed = _feed(
                lambda: open_source(source, kafka_settings),
                keep,
                UpdateState(state),
                once=once,
                stopped=lambda: stop.asked,
            )
            check = stack.enter_context(feed).check
        bar = stack.enter_context(progress(description=f"following {source}", unit="event"))
        counts = {"batches": 0, "published": 0}

        def take(files: str, origin: "Origin") -> "Updated":
            return update(models, state, files, items, config=config, origin=origin)

        def on_batch(updated: "Updated") -> None:
            counts["batches"] += 1
            counts["published"] += updated.entry.version is not None
            show(updated)

        def on_read(read: int, waiting: int) -> None:
            told = f"{waiting:,} waiting, {counts['batches']} taken in"
            bar.set_postfix_str(told, refresh=False)
            bar.update(read)

        follower = Follower(
            opened,
            state,
            take,
            Limits(batch_events, batch_seconds),
            stop,
            on_read=on_read,
            on_batch=on_batch,
            on_wait=lambda reason: write_line(f"Waiting: {reason}."),
        )
        follower.run(once=once, from_start=from_start, check=check)
    check()
    click.echo(
        f"Batches taken in: {counts['batches']}, versions published: {counts['published']}; the "
        "same command goes on from here.",
        err=True,
    )


def _nothing() -> None:
    """Checks nothing."""


@contextlib.contextmanager
def _signals_to(stop: Any) -> Iterator[None]:
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _feed(
    open_again: Callable[[], "Source"],
    keep: Keep,
    home: "UpdateState",
    *,
    once: bool,
    stopped: Callable[[], bool],
) -> "HistoryFeed":
    from tfrec.data.dataset import PreparedDataset
    from tfrec.updating.following import FOLDER
    from tfrec.updating.history_feed import HistoryFeed

    dataset = PreparedDataset.open(home.newest_data(home.ledger()))
    settings = home.config.data.model_copy(update={"event_types": dataset.event_types})
    folder = home.folder / FOLDER
    return HistoryFeed(open_again, keep, settings, folder, once=once, stopped=stopped)


def keeper(url: str, salt_file: Path | None, most: int) -> Keep:
    """Returns what puts events into a history store.

    Raises:
        UserError: if the store or the salt cannot be used.
    """
    from tfrec.updating.history_feed import HistoryAwayError

    try:
        store = open_history(url, keep=most)
        store.check()
    except HistoryError as error:
        raise UserError(str(error)) from error
    users = UserHashes(store, _salt(salt_file))

    def keep(events: Sequence["KeptEvent"]) -> int:
        latest = time.time() + AHEAD_SECONDS
        by_user: dict[str, list[Event]] = {}
        try:
            for each in events:
                if each.time <= latest:
                    event = Event(each.item_id, each.event, each.time)
                    by_user.setdefault(users.of(each.user_id), []).append(event)
            return sum(sum(store.append(user, kept)) for user, kept in by_user.items())
        except HistorySetupError as error:
            raise UserError(str(error)) from error
        except HistoryError as error:
            raise HistoryAwayError(str(error)) from error

    return keep


def _salt(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        salt = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the salt file {file} cannot be read; check --user-salt-file") from error
    if not salt:
        raise UserError(f"the salt file {file} is empty; put the gateway's salt there")
    return salt
