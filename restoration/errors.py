"""The error that a user can mend."""


class UserError(Exception):
    """Says what was wrong, what was received and how to mend it; the scripts print it without a traceback."""
