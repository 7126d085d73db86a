"""What can go wrong with a look at the world, in words that a person or a model can act on.

ToolError
├── ToolRetry         the arguments are wrong; call again with better ones
├── ToolNoSource      nothing is there to ask: not configured, or not captured in this snapshot
├── ToolUnavailable   the source did not answer properly; says nothing about the thing asked about
└── ToolRefused       the source says no (no permission); asking again is useless

A client library's own exceptions stay in its integration; they are chained as the cause.
"""


class ToolError(Exception):
    """A look that gave no answer."""


class ToolRetry(ToolError):
    """The arguments cannot be used; the message says what was expected."""


class ToolNoSource(ToolError):
    """There is no such source here; the message says which setting or folder would provide it."""


class ToolUnavailable(ToolError):
    """The source was asked and did not answer properly: time-out, refused connection, 5xx, broken reply."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """What the source itself asked us to wait, where it said so."""


class ToolRefused(ToolError):
    """The source knows us and says no; the message names the permission that is missing."""
