"""As much of a long text as a card has room for, and how much is left. Pure."""

from dataclasses import dataclass

from bot.slack import text
from bot.slack.cards import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """The beginning of a text, with nothing hidden in it."""

    shown: str
    left: int = 0
    """Characters that are not shown, about."""
    lines: int = 0

    @property
    def rest(self) -> str:
        """How much is not shown, in words; empty when all of it is."""
        return f"about {self.left:,} more characters, {words.count(self.lines, 'line')}" if self.left else ""


def shortened(whole: str, most: int) -> Shortened:
    """At most so many characters, up to the end of a line where there is one."""
    read = text.exact(whole[: 2 * most])
    if len(whole) > 2 * most:
        # Its end may be half a secret, which nothing recognises.
        read = read[: -most // 2]
    shown = _cut(read, most)
    left = len(read) - len(shown) + max(0, len(whole) - 2 * most)
    return Shortened(shown=shown, left=left, lines=max(1, whole.count("\n") - shown.count("\n")))


def _cut(shown: str, most: int) -> str:
    if len(shown) <= most:
        return shown
    end = shown.rfind("\n", most // 2, most)
    kept = shown[: end if end > 0 else most]
    # Not in the middle of a name of what is hidden.
    return kept[: kept.rindex("⟨")] if kept.rfind("⟨") > kept.rfind("⟩") else kept
