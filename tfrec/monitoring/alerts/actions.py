"""What an alert sets off, besides being told of."""

import logging
from collections.abc import Callable, Mapping, Sequence

from tfrec.errors import UserError
from tfrec.monitoring.alerts.book import Alert
from tfrec.monitoring.alerts.rules import Rule

log = logging.getLogger(__name__)


class ActionSink:
    """Does what the rules of raised alerts ask for.

    An alert acts when it is raised, and not while it goes on or when it ends.

    Args:
        rules: the rules.
        actions: by the name that rules know them by; each returns what it did, in a sentence.
    """

    def __init__(self, rules: Sequence[Rule], actions: Mapping[str, Callable[[], str]]) -> None:
        self._actions = {
            rule.name: actions[rule.action] for rule in rules if rule.action in actions
        }

    def send(self, alert: Alert) -> None:
        """Acts, and logs what was done or why it could not be."""
        action = self._actions.get(alert.rule)
        if alert.state != "raised" or action is None:
            return
        try:
            log.warning("%s: %s", alert.rule, action())
        except UserError as error:
            log.error("%s: nothing was done: %s", alert.rule, error)
        except Exception:
            # The monitor must go on whatever an action runs into.
            log.exception("%s: the action failed", alert.rule)

    def close(self) -> None:
        """Does nothing."""
