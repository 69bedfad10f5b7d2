"""What the commands of feedback share: the lists of an event log, joined with what followed."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.options import unix_seconds
from tfrec.config import ExperimentConfig

if TYPE_CHECKING:
    from tfrec.feedback.examples import FeedbackExamples


def examples_of(
    event_log: Path,
    settings: ExperimentConfig,
    start: str | None,
    end: str | None,
    *,
    by_score: bool,
    impressions: bool = True,
) -> "FeedbackExamples":
    """Joins the lists of an event log with the events that followed them.

    Args:
        event_log: the gateway's.
        settings: those of the logged lists.
        start: as given to --from.
        end: as given to --until.
        by_score: whether propensities that the log lacks follow from the scores.
        impressions: whether the events that say what was on the screen count.

    Raises:
        UserError: if there is no such log, or `start` or `end` is no time.
    """
    from tfrec.feedback.labels import make_examples
    from tfrec.feedback.reading import read_log
    from tfrec.monitoring.live.event_log import IMPRESSION

    since, until = unix_seconds("--from", start), unix_seconds("--until", end)
    lines, bad_lines = read_log(event_log, until)
    if not impressions:
        lines = [line for line in lines if line.event != IMPRESSION]
    return make_examples(
        lines,
        settings.feedback,
        settings.display,
        by_score=by_score,
        since=since,
        bad_lines=bad_lines,
    )
