"""The exceptions that a user's mistake becomes."""


class UserError(Exception):
    """A mistake that the user can mend: one sentence that says what, where and how to fix it.

    The command line prints the sentence after ``error:`` and exits with code 2; no other
    exception is shown without a stack trace.
    """


class BusyError(UserError):
    """Another process holds what this one needs; later it may be free."""
