"""What the commands that ask a server share: options, errors, and how an answer is shown."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipelines.console import table_console
from pipelines.options import json_option, together
from serving.client import Recommendation, RecommenderClient, Tls
from serving.errors import ClientError
from tfrec.errors import UserError

server_option = click.option(
    "--server", required=True, metavar="HOST:PORT", help="gRPC address of the model server."
)
ca_option = click.option(
    "--server-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Authority of the server's certificate, in PEM; connects with TLS.",
)
k_option = click.option(
    "-k", "k", type=int, default=10, show_default=True, help="How many items to show."
)
timeout_option = click.option(
    "--timeout", type=float, default=10.0, show_default=True, help="Seconds to wait for an answer."
)
asking_options = together(server_option, ca_option, k_option, json_option, timeout_option)


@contextlib.contextmanager
def ask(server: str, server_ca: Path | None, timeout: float) -> Iterator[RecommenderClient]:
    """Yields a client of `server`, with TLS if `server_ca` is given; its errors become `UserError`.

    Raises:
        UserError: with the client's sentence.
    """
    try:
        tls = Tls(ca=server_ca) if server_ca else None
        with RecommenderClient(server, timeout=timeout, tls=tls) as client:
            yield client
    except ClientError as error:
        raise UserError(str(error)) from error


def split_ids(text: str) -> list[str]:
    """Returns the ids of a comma-separated list, without blanks around them."""
    return [part.strip() for part in text.split(",") if part.strip()]


def note_skipped(unknown: Sequence[str]) -> None:
    """Says on stderr which items of a question the server does not know, if any."""
    if unknown:
        click.echo(f"note: not in the catalogue, and skipped: {', '.join(unknown)}", err=True)


def show(answer: Sequence[Recommendation], *, k: int, as_json: bool, title: str) -> None:
    """Prints an answer as a table or as JSON; remarks go to stderr."""
    if len(answer) < k:
        click.echo(f"note: the model's answer has {len(answer)} items, not {k}", err=True)
    if as_json:
        click.echo(json.dumps([as_json_row(item) for item in answer], ensure_ascii=False, indent=2))
        return
    table_console().print(_table(answer, title))


def as_json_row(item: Recommendation) -> dict[str, Any]:
    """Returns an item of an answer for machines."""
    row: dict[str, Any] = {
        "item_id": item.item_id,
        "title": item.title,
        "score": item.score,
        "price": item.price,
    }
    if item.reason_item_id is not None:
        row["reason"] = {"item_id": item.reason_item_id, "title": item.reason_title}
    if item.reasons:
        row["reasons"] = [asdict(reason) for reason in item.reasons]
    if item.reason_words:
        row["reason_words"] = list(item.reason_words)
    if item.probabilities:
        row["probabilities"] = dict(item.probabilities)
    return row


def _table(answer: Sequence[Recommendation], title: str) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    with_reason = any(item.reason_item_id for item in answer)
    table.add_column("", justify="right")
    for name in ("item", "title"):
        table.add_column(name, overflow="fold")
    table.add_column("price", justify="right")
    table.add_column("score", justify="right")
    if with_reason:
        table.add_column("because of", overflow="fold")
    with_words = any(item.reason_words for item in answer)
    if with_words:
        table.add_column("words", overflow="fold")
    for rank, item in enumerate(answer, 1):
        cells = [
            str(rank),
            item.item_id,
            item.title or "",
            "" if item.price is None else f"{item.price:.2f}",
            f"{item.score:.4f}",
        ]
        if with_reason:
            cells.append(item.reason_title or item.reason_item_id or "")
        if with_words:
            cells.append(", ".join(item.reason_words))
        # Titles are data: a `[bold]` in one should be shown, not obeyed.
        table.add_row(*(Text(cell) for cell in cells))
    return table
