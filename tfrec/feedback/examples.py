"""Training examples from the event log, as a folder of Parquet files."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from rich.table import Table
from rich.text import Text

from tfrec.display import Displayed
from tfrec.errors import UserError
from tfrec.feedback.position_bias import Examination
from tfrec.files import atomic_folder, read_json, write_json

EXAMPLES, REJECTS, SUMMARY = "examples.parquet", "rejects.parquet", "summary.json"
LABEL_PREFIX = "label_"


@dataclass(frozen=True, repr=False)
class FeedbackExamples(Displayed):
    """What shoppers were shown and what they did, ready to be learned from.

    Attributes:
        table: one row a list: `recommendation_id`, `user`, `time` (unix seconds),
            `model_version`, `variant`; lists of one length `item_id`, `position` (from 1), `score`,
            `rank` (by score among all candidates, as far as the list tells; -1 without scores),
            `propensity` (chance that the policy showed it there; NaN where not known),
            `examination` (chance that the place is looked at) and `label_<event>`; and the
            shopper's events before, `history_item_id`, `history_event`, `history_timestamp`.
        rejects: lists and events that became no example, with the reason.
        counts: by kind (`lists`, `events`), how many there were by outcome; with `bad_lines`
            they add up to the lines of the log.
        labels: by event, how many labels there are.
        examination: by place, how often it is looked at; None without a click.
        bad_lines: lines of the log that could not be read.
        warnings: what a reader should know, in sentences.
    """

    table: pd.DataFrame
    rejects: pd.DataFrame
    counts: dict[str, dict[str, int]]
    labels: dict[str, int]
    examination: Examination | None
    bad_lines: int = 0
    warnings: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Writes the examples into a folder, which is replaced as a whole."""
        with atomic_folder(folder) as temporary:
            for name, frame in ((EXAMPLES, self.table), (REJECTS, self.rejects)):
                pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), temporary / name)
            write_json(temporary / SUMMARY, self.summary())

    def outcomes(self, kind: str) -> str:
        """Says what became of the lines of a kind, the most frequent outcome first."""
        ordered = sorted(self.counts[kind].items(), key=lambda pair: -pair[1])
        return ", ".join(f"{count:,} {outcome}" for outcome, count in ordered)

    def summary(self) -> dict[str, Any]:
        """Returns the counts and the chances of places for a machine."""
        looks = self.examination
        places = (
            []
            if looks is None
            else [
                {
                    "position": place + 1,
                    "examination": float(looks.chances[place]),
                    "shown": int(looks.shown[place]),
                    "clicked": int(looks.clicked[place]),
                    "known": bool(looks.known[place]),
                }
                for place in range(len(looks.chances))
            ]
        )
        return {
            "examples": len(self.table),
            "labels": self.labels,
            "counts": self.counts,
            "bad_lines": self.bad_lines,
            "positions": places,
            "warnings": self.warnings,
        }

    def renderables(self) -> Iterable[Table | Text]:
        """Returns a table of what became of the lines, one of the places, and the warnings."""
        table = Table("lines", "outcome", title="What became of the event log")
        table.add_column("count", justify="right")
        for kind, counts in self.counts.items():
            for outcome, count in sorted(counts.items(), key=lambda pair: -pair[1]):
                table.add_row(kind, outcome, f"{count:,}")
        if self.bad_lines:
            table.add_row("others", "unreadable", f"{self.bad_lines:,}")
        yield table
        if self.examination is not None:
            looks = Table("place", title="Where shoppers look")
            for heading in ("shown", "clicked", "looked at"):
                looks.add_column(heading, justify="right")
            for place in self.summary()["positions"]:
                chance = f"{place['examination']:.3f}" if place["known"] else "not known"
                row = (place["position"], f"{place['shown']:,}", f"{place['clicked']:,}", chance)
                looks.add_row(*map(str, row))
            yield looks
        for warning in self.warnings:
            yield Text(f"note: {warning}")


def load_examples(folder: str | Path) -> pd.DataFrame:
    """Returns the table of examples that `FeedbackExamples.save` wrote.

    Raises:
        UserError: if there is none, or it is damaged.
    """
    path = Path(folder) / EXAMPLES
    try:
        read_json(Path(folder) / SUMMARY)
        return pd.read_parquet(path)
    except (OSError, ValueError, UserError, pa.ArrowException) as error:
        raise UserError(
            f"there are no feedback examples in {folder}, or they are damaged; write them with "
            "`tfrec feedback labels`"
        ) from error
