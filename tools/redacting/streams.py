"""Redacts a text that comes in pieces, and gives out what nothing that follows can change any more."""

from collections.abc import Callable, Iterator

from tools.redacting.marks import Kind, mark

_LIMIT = 262_144
"""Characters that are kept back at most; a stretch without one safe place to cut goes as a whole."""
_TRIES = 8


class Stream:
    """Feed it pieces as they come and write what it returns; `close` gives the rest."""

    def __init__(self, redact: Callable[[str], str], *, margin: Callable[[], int]) -> None:
        self._redact = redact
        self._margin = margin
        self._kept = ""
        self._tried = 0
        self._drops = False

    def feed(self, piece: str) -> str:
        """What can be given out now; often nothing, for the end of a text may be the start of a secret."""
        if self._drops:
            # The rest of the line on which a stretch was lost.
            _, end, piece = piece.partition("\n")
            self._drops = not end
        self._kept += piece
        margin = self._margin()
        # Not at each piece: what was just looked at in vain is looked at again when it has doubled.
        if len(self._kept) < max(2 * margin, 2 * self._tried):
            return ""
        whole = self._redact(self._kept)
        for cut in self._cuts(len(self._kept) - margin):
            head = self._redact(self._kept[:cut])
            # A clean cut: both parts come out as they do together, so nothing lay across it.
            if head + self._redact(self._kept[cut:]) == whole:
                self._kept, self._tried = self._kept[cut:], 0
                return head
        self._tried = len(self._kept)
        if self._tried <= _LIMIT:
            return ""
        self._kept, self._tried, self._drops, lost = "", 0, True, self._kept
        return mark(Kind.VALUE, lost)

    def close(self) -> str:
        """The rest."""
        rest, self._kept = self._redact(self._kept), ""
        return rest

    def _cuts(self, last: int) -> Iterator[int]:
        """Places to cut, best first: line ends, then spaces, then any."""
        for sign in ("\n", " "):
            head = self._kept[:last]
            for _ in range(_TRIES):
                head, found, _ = head.rpartition(sign)
                if not found:
                    break
                yield len(head + sign)
        yield from range(last, last - _TRIES, -1)
