"""How the gateway refuses: to start, with a sentence; to answer, with a code and a sentence."""

from serving import errors
from serving.history import HistorySetupError, HistoryUnavailableError
from serving.server.statuses import Code


class GatewaySetupError(Exception):
    """Flags or files that cannot work: one sentence that says what to change."""


class RefusalError(Exception):
    """A request that is not answered.

    Attributes:
        code: the gRPC status code.
        text: what the caller should do.
    """

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


# The first class that fits decides.
_CODES: tuple[tuple[type[Exception], Code], ...] = (
    (errors.InvalidRequestError, Code.INVALID_ARGUMENT),
    (errors.DeadlineError, Code.DEADLINE_EXCEEDED),
    (errors.OverloadedError, Code.RESOURCE_EXHAUSTED),
    (errors.ServerUnreachableError, Code.UNAVAILABLE),
    (errors.ModelMissingError, Code.FAILED_PRECONDITION),
    # The gateway's own certificate or key, not the caller's.
    (errors.AccessError, Code.INTERNAL),
    (errors.ClientError, Code.INTERNAL),
    (HistoryUnavailableError, Code.UNAVAILABLE),
    (HistorySetupError, Code.UNAVAILABLE),
)


def refusal(error: Exception) -> RefusalError | None:
    """Returns the refusal that a failure behind the gateway becomes; None for a defect."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return RefusalError(code, str(error))
    return None
