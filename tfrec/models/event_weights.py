"""Weights of event types, as configurations give them."""

from collections.abc import Collection, Sequence

from tfrec.errors import UserError


def check_event_weights(
    weights: Collection[str], target_events: Sequence[str], section: str
) -> None:
    """Refuses a weight that would never count.

    Args:
        weights: event types that have a weight.
        target_events: those that are predicted.
        section: that holds the weights.

    Raises:
        UserError: if a weight is that of no target event.
    """
    for event in weights:
        if event not in target_events:
            raise UserError(
                f"{section}.event_weights has a weight of `{event}`, which is no target event; "
                f"those are {', '.join(target_events)}"
            )
