"""What can go wrong with the ledger.

LedgerError         it did not answer, or refused: whether anything was written is not known, so nothing may be executed
└── LedgerDamaged   it answered, and what it holds is not what Locum writes
Conflict            an answer: what was expected to be there is not; nothing was written
"""


class LedgerError(Exception):
    """The ledger did not answer or refused; nothing may be executed on the strength of this call."""


class LedgerDamaged(LedgerError):
    """The ledger holds something that Locum did not write."""


class Conflict(Exception):
    """Things are not as the caller expected; nothing was written. Read again and decide anew."""
