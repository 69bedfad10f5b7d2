"""What became of the rows, as tables for people."""

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from tfrec.data.manifest import Manifest, RowCounts


def summary(manifest: Manifest) -> list[RichTable | Text]:
    """Returns the tables: rows in, kept and rejected by reason; splits; decisions and notes."""
    parts: list[RichTable | Text] = [
        _rows("Events", manifest.events),
        _rows("Items", manifest.items),
        _splits(manifest),
    ]
    if manifest.timestamps is not None:
        decision = manifest.timestamps
        parts.append(
            Text(
                f"timestamps: column {decision.column} read as {decision.unit}, because "
                f"{decision.evidence}; from {decision.first} to {decision.last} UTC"
            )
        )
    else:
        parts.append(Text("timestamps: the log has none; its order is the column position"))
    names = ", ".join(
        f"{name} {count:,}{'' if name in manifest.target_events else ' (no target)'}"
        for name, count in manifest.event_counts.items()
    )
    parts.append(Text(f"events: {names}"))
    parts.append(Text(f"shoppers: {manifest.num_users:,}; items: {manifest.num_items:,}"))
    parts.extend(Text(f"note: {note}") for note in manifest.notes)
    return parts


def print_summary(manifest: Manifest, console: Console | None = None) -> None:
    """Prints the tables of `summary`."""
    (console or Console()).print(*summary(manifest), sep="\n")


def _rows(title: str, counts: RowCounts) -> RichTable:
    table = RichTable(title=f"{title}: rows in = rows kept + rows rejected", title_justify="left")
    table.add_column("")
    table.add_column("rows", justify="right")
    table.add_column("first one")
    table.add_row("in", f"{counts.rows_in:,}", "")
    table.add_row("kept", f"{counts.rows_kept:,}", "")
    table.add_row("rejected", f"{counts.rows_rejected:,}", "")
    for reason, count in counts.rejected.items():
        table.add_row(f"  {reason}", f"{count:,}", counts.examples[reason])
    return table


def _splits(manifest: Manifest) -> RichTable:
    table = RichTable(title=f"Splits ({manifest.config.split})", title_justify="left")
    table.add_column("split")
    for name in ("shoppers", "events", "target events", "files"):
        table.add_column(name, justify="right")
    table.add_column("starts (UTC)")
    for name, split in manifest.splits.items():
        table.add_row(
            name,
            f"{split.shoppers:,}",
            f"{split.events:,}",
            f"{split.target_events:,}",
            str(split.shards),
            split.starts or "",
        )
    return table
