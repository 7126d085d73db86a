"""Channels, private channels and direct messages, and who is in them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from bot.workspace.payloads import Json
from bot.workspace.people import TEAM_ID
from bot.workspace.refusals import Refused


class Kind(StrEnum):
    """Slack's `channel_type`."""

    CHANNEL = "channel"
    GROUP = "group"
    IM = "im"


@dataclass(slots=True, kw_only=True)
class Conversation:
    """One place where messages are."""

    id: str
    name: str
    kind: Kind
    created: int
    members: set[str] = field(default_factory=set[str])
    person: str = ""
    """Of a direct message: the person at the other end."""
    is_archived: bool = False
    is_shared: bool = False
    """Shared with another company."""

    def to_channel(self, *, viewer: str) -> Json:
        """The conversation object, as `viewer` gets it."""
        common: Json = {
            "id": self.id,
            "created": self.created,
            "is_archived": self.is_archived,
            "is_im": self.kind is Kind.IM,
            "context_team_id": TEAM_ID,
            "is_org_shared": False,
            "is_ext_shared": self.is_shared,
        }
        if self.kind is Kind.IM:
            return common | {"user": self.person, "is_user_deleted": False}
        return common | {
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": self.kind is Kind.CHANNEL,
            "is_group": self.kind is Kind.GROUP,
            "is_mpim": False,
            "is_private": self.kind is Kind.GROUP,
            "is_shared": self.is_shared,
            "is_member": viewer in self.members,
            "num_members": len(self.members),
            "topic": {"value": "", "creator": "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
        }


class Conversations:
    """Every conversation, by id and by name."""

    def __init__(self) -> None:
        self.by_id: dict[str, Conversation] = {}

    def create(self, name: str, *, created: int, is_private: bool = False, members: Iterable[str] = ()) -> Conversation:
        if self.find(name):
            raise ValueError(f"there is a channel {name!r} already")
        conversation = Conversation(
            id=f"C{len(self.by_id) + 1:04d}{name.upper().replace('-', '')[:6]:0<6}",
            name=name.lstrip("#"),
            kind=Kind.GROUP if is_private else Kind.CHANNEL,
            created=created,
            members=set(members),
        )
        self.by_id[conversation.id] = conversation
        return conversation

    def direct(self, user_id: str, bot_user: str, *, created: int) -> Conversation:
        """The direct message between a person and the app; made on first use."""
        for conversation in self.by_id.values():
            if conversation.kind is Kind.IM and conversation.person == user_id:
                return conversation
        conversation = Conversation(
            id=f"D{len(self.by_id) + 1:04d}{user_id[-6:]:0<6}",
            name="",
            kind=Kind.IM,
            created=created,
            members={user_id, bot_user},
            person=user_id,
        )
        self.by_id[conversation.id] = conversation
        return conversation

    def find(self, which: str) -> Conversation | None:
        """A conversation by id or by name."""
        if conversation := self.by_id.get(which):
            return conversation
        name = which.lstrip("#")
        return next((one for one in self.by_id.values() if name and one.name == name), None)

    def get(self, which: str) -> Conversation:
        if conversation := self.find(which):
            return conversation
        raise LookupError(f"there is no channel {which!r}")

    def require(self, channel_id: str, bot_user: str, *, to_write: bool = False) -> Conversation:
        """The conversation with this id, as far as the app may see it, else its call is refused."""
        conversation = self.by_id.get(channel_id)
        if conversation is None or (conversation.kind is not Kind.CHANNEL and bot_user not in conversation.members):
            raise Refused("channel_not_found")
        if to_write:
            if bot_user not in conversation.members:
                raise Refused("not_in_channel")
            if conversation.is_archived:
                raise Refused("is_archived")
        return conversation
