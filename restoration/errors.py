"""The error that a user can correct."""


class UserError(Exception):
    """The message says what was wrong, what was received and how to correct it; scripts print no traceback."""
