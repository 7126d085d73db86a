"""What can go wrong with a credential, in words that hold none.

CredentialsError
├── CredentialsMissing      nothing is at this reference, or nobody is configured who could look
├── CredentialsRefused      the store knows us and says no, or what it holds cannot be used; asking again is useless
│   └── WrappingTokenUsed   somebody else may hold our secret id: an alarm
├── CredentialsUnavailable  the store did not answer properly: down, sealed, too slow; says nothing about the reference
├── CredentialsEnded        what was lent is no longer ours to use
└── JournalFailed           the journal could not be written; nothing that it does not know may be used

The first three are tool errors as well: a look that needs a credential ends like any other look that failed. Client
libraries' exceptions are never chained: their texts quote requests and answers.
"""

from tools.errors import ToolNoSource, ToolRefused, ToolUnavailable


class CredentialsError(Exception):
    """A credential could not be had, kept or given back."""


class CredentialsMissing(CredentialsError, ToolNoSource):
    """There is nothing at this reference."""


class CredentialsRefused(CredentialsError, ToolRefused):
    """The store says no, or what it holds cannot be used."""


class WrappingTokenUsed(CredentialsRefused):
    """A wrapping token works once, and this one does no more: whoever unwrapped it may hold the secret id."""


class CredentialsUnavailable(CredentialsError, ToolUnavailable):
    """The store was asked and did not answer properly."""


class CredentialsEnded(CredentialsError):
    """The time of the credential is over; the use of it was stopped."""


class JournalFailed(CredentialsError):
    """The journal could not be written or read."""
