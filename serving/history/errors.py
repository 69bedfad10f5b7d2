"""What can go wrong with a history store, each with a sentence that says what to do."""


class HistoryError(Exception):
    """Base of all errors that `serving.history` raises."""


class HistorySetupError(HistoryError):
    """The store cannot work until someone changes something, such as its URL or its file."""


class HistoryUnavailableError(HistoryError):
    """The store does not answer just now; it is asked again at the next request."""
