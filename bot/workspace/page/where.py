"""What one person looks at, and the addresses of what is next to it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from bot.workspace.conversations import Conversation, Kind
from bot.workspace.people import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What one person looks at."""

    person: Person
    conversation: Conversation
    thread_ts: str = ""
    is_home: bool = False

    def url(self, **changes: str) -> str:
        """The address of this view with something else in it."""
        is_direct = self.conversation.kind is Kind.IM
        query = {"as": self.person.name, "channel": "dm" if is_direct else self.conversation.name}
        query |= {"thread": self.thread_ts} | changes
        return f"/?{urlencode({key: value for key, value in query.items() if value})}"
